import { createHash } from 'node:crypto';
import { cp, mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { root, runNode } from '../support/program.js';

const builds = join(root, '.cache', 'cli');

/**
 * The package as it is built from the sources that are there, with the modules of `test/cli/apps`, in a folder of the
 * project's cache. What has been built already is used again.
 */
export async function builtPackage(): Promise<string> {
  const folder = join(
    builds,
    await fingerprint(['src', 'test/cli/apps', 'package.json', 'tsconfig.build.json']),
  );
  if (await isThere(folder)) return folder;
  const draft = join(builds, `draft-${process.pid}`);
  await mkdir(draft, { recursive: true });
  const tsc = [
    'node_modules/typescript/bin/tsc',
    '-p',
    'tsconfig.build.json',
    '--outDir',
    join(draft, 'dist'),
  ];
  const { code, output } = await runNode(tsc, {}, 120_000);
  if (code !== 0) throw new Error(`The package cannot be built:\n${output}`);
  await cp(join(root, 'package.json'), join(draft, 'package.json'));
  await cp(join(root, 'test/cli/apps'), join(draft, 'apps'), { recursive: true });
  await forget(folder);
  // Another test file may have been quicker.
  await rename(draft, folder).catch(() => rm(draft, { recursive: true }));
  return folder;
}

/** Of files, by when they were changed: to read them all would take as long as to build them. */
async function fingerprint(paths: readonly string[]): Promise<string> {
  const hash = createHash('sha256');
  for (const path of paths) {
    const whole = join(root, path);
    const files = (await stat(whole)).isDirectory()
      ? (await readdir(whole, { recursive: true })).map((name) => join(whole, name)).sort()
      : [whole];
    for (const file of files) hash.update(`${file} ${(await stat(file)).mtimeMs}\n`);
  }
  return hash.digest('hex').slice(0, 16);
}

/** Earlier builds, but not those that other tests make or use now. */
async function forget(current: string): Promise<void> {
  for (const name of await readdir(builds)) {
    const folder = join(builds, name);
    const { mtimeMs } = await stat(folder);
    if (folder !== current && Date.now() - mtimeMs > 600_000)
      await rm(folder, { recursive: true, force: true });
  }
}

async function isThere(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  );
}
