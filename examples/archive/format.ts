/** The archives: gzip over, for each file, a line of JSON that announces it, and then its bytes. */
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';

export interface PackedFile {
  path: string;
  content: Buffer;
}

/** What is in an archive: what was put in must come out again. */
export interface Contents {
  files: number;
  bytes: number;
  sha256: string;
}

/** Resolves with the length of the archive. */
export async function writeArchive(path: string, files: readonly PackedFile[]): Promise<number> {
  const parts = files.flatMap(({ path, content }) => {
    return [Buffer.from(`${JSON.stringify({ path, bytes: content.length })}\n`), content];
  });
  const archive = await promisify(gzip)(Buffer.concat(parts));
  await writeFile(path, archive);
  return archive.length;
}

export async function openArchive(path: string): Promise<PackedFile[]> {
  const archive = Buffer.from(await promisify(gunzip)(await readFile(path)));
  const files: PackedFile[] = [];
  for (let at = 0; at < archive.length; ) {
    const start = archive.indexOf('\n', at) + 1;
    const { path, bytes } = JSON.parse(archive.toString('utf8', at, start));
    at = start + bytes;
    files.push({ path, content: archive.subarray(start, at) });
  }
  return files;
}

export function contentsOf(files: readonly PackedFile[]): Contents {
  const hash = createHash('sha256');
  let bytes = 0;
  for (const { path, content } of files) {
    hash.update(`${path}\0${content.length}\0`).update(content);
    bytes += content.length;
  }
  return { files: files.length, bytes, sha256: hash.digest('hex') };
}
