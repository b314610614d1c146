import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const prefix = 'lockkeeper-test-';
let swept: Promise<void> | undefined;

/** A folder of one's own in the system's temporary one. Those left by runs that were killed go on this occasion. */
export async function temporaryFolder(kind: string): Promise<string> {
  swept ??= sweep();
  await swept;
  return mkdtemp(join(tmpdir(), `${prefix}${process.pid}-${kind}-`));
}

export async function removeFolder(path: string): Promise<void> {
  // A process that was just killed may have been writing when the listing was read.
  await rm(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
}

async function sweep(): Promise<void> {
  const names = await readdir(tmpdir());
  const abandoned = names.filter((name) => name.startsWith(prefix) && !runs(ownerOf(name)));
  // Another user's folders are not ours to remove.
  await Promise.allSettled(abandoned.map((name) => removeFolder(join(tmpdir(), name))));
}

const ownerOf = (name: string): number => Number.parseInt(name.slice(prefix.length), 10);

function runs(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
