import { appendFile, readFile } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
import { type Contents, contentsOf, openArchive } from './format.js';

/** What is said of an archive, when it has been written. */
export interface Entry {
  name: string;
  version: string;
  archive: string;
  contents: Contents;
}

export async function addEntry(index: string, entry: Entry): Promise<void> {
  await appendFile(index, `${JSON.stringify(entry)}\n`);
}

/** Opens the archives again, and tells of each that does not hold what the index says. */
export async function damaged(index: string, archived: readonly { name: string }[]): Promise<string[]> {
  const lines = (await readFile(index, 'utf8').catch(() => '')).split('\n').filter((line) => line !== '');
  const entries = new Map(lines.map((line): [string, Entry] => [JSON.parse(line).name, JSON.parse(line)]));
  const damaged: string[] = [];
  for (const { name } of archived) {
    const entry = entries.get(name);
    const found = entry && (await openArchive(entry.archive).then(contentsOf, () => undefined));
    if (!found || !isDeepStrictEqual(found, entry.contents))
      damaged.push(`the archive of ${name} does not hold what the index says`);
  }
  return damaged;
}
