import { existsSync } from 'node:fs';
import { lstat, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { PackedFile } from './format.js';

/** Of one package, so that several fit into memory. What goes beyond is left out. */
const mostBytes = 32 * 1024 * 1024;

/** The names of the packages in a node_modules folder, those with a scope included. */
export async function packagesIn(folder: string): Promise<string[]> {
  const names = await readdir(folder);
  const scoped = names
    .filter((name) => name.startsWith('@'))
    .map(async (scope) => (await readdir(join(folder, scope))).map((name) => `${scope}/${name}`));
  const all = [...names, ...(await Promise.all(scoped)).flat()];
  return all.filter((name) => existsSync(join(folder, name, 'package.json'))).sort();
}

/** The files of a package, in the order of their paths. */
export async function readFiles(folder: string): Promise<{ files: PackedFile[]; leftOut: number }> {
  const files: PackedFile[] = [];
  let [room, leftOut] = [mostBytes, 0];
  for (const path of (await readdir(folder, { recursive: true })).sort()) {
    const stats = await lstat(join(folder, path));
    if (!stats.isFile()) continue;
    if (stats.size > room) {
      leftOut++;
      continue;
    }
    room -= stats.size;
    files.push({ path, content: await readFile(join(folder, path)) });
  }
  return { files, leftOut };
}
