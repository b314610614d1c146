/**
 * Runs one script of a folder by its name: `run.ts FOLDER NAME [flags]`.
 *
 * The scripts are the folder's own `.ts` files; what they share belongs in a folder below it. The flags are the
 * script's business, and it finds them in `process.argv` as if it had been started directly.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const self = fileURLToPath(import.meta.url);

async function main(folder: string, name = '--help', flags: string[] = []): Promise<void> {
  const script = scriptsIn(folder).find((path) => nameOf(path) === name);
  if (script === undefined) return explain(folder, name);

  process.argv.splice(1, Number.POSITIVE_INFINITY, script, ...flags);
  await import(pathToFileURL(script).href);
}

function scriptsIn(folder: string): string[] {
  const path = resolve(root, folder);
  if (!existsSync(path)) return [];
  return readdirSync(path)
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.d.ts') && !file.endsWith('.test.ts'))
    .map((file) => join(path, file))
    .filter((file) => file !== self)
    .sort();
}

function explain(folder: string, name: string): void {
  const asked = name === '--help' || name === '-h';
  const lines = scriptsIn(folder).map((path) => `  ${nameOf(path)}  ${summaryOf(path)}`.trimEnd());
  const list =
    lines.length > 0 ? `Scripts in ${folder}:\n${lines.join('\n')}` : `${folder} has no scripts yet.`;

  if (asked) {
    console.log(list);
  } else {
    console.error(`Expected the name of a script in ${folder}, got "${name}".\n${list}`);
    process.exitCode = 1;
  }
}

const nameOf = (path: string): string => basename(path, '.ts');

/** The first line of the comment a script opens with. */
function summaryOf(path: string): string {
  return /^(?:#!.*\n)?\/\*\*\s*(?:\* )?(.*?)\s*(?:\*\/|\n)/.exec(readFileSync(path, 'utf8'))?.[1] ?? '';
}

/** A wrong flag is told without a stack; the script is not at fault. */
function tell(error: unknown): void {
  if ((error as { code?: unknown }).code !== 'CONFIG') throw error;
  console.error((error as Error).message);
  process.exitCode = 2;
}

const [folder = 'bench', name, ...flags] = process.argv.slice(2);
await main(folder, name, flags).catch(tell);
