import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { extname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ConfigError } from '../errors.js';
import { App } from '../tasks/app.js';
import { UsageError } from './usage-error.js';

const typescript = new Set(['.ts', '.mts', '.cts', '.tsx']);

/** The app that a module exports as `app`, or by default. Throws `ConfigError` that says what is wrong with the module. */
export async function loadApp(path: string | undefined): Promise<App> {
  if (!path) {
    throw new UsageError('Which app? Give its module: --app ./dist/app.js, or LOCKKEEPER_APP=./dist/app.js');
  }
  const file = resolve(path);
  if (!existsSync(file)) throw new ConfigError(`There is no module ${path} (looked for ${file})`);
  if (typescript.has(extname(file))) await readTypescript(path, file);
  return await appOf(await import(pathToFileURL(file).href), path);
}

/** To import tsx is to use it. It is looked for where the module is, then where this command is. */
async function readTypescript(path: string, file: string): Promise<void> {
  for (const from of [pathToFileURL(file).href, import.meta.url]) {
    const found = resolved(from, 'tsx');
    if (!found) continue;
    await import(pathToFileURL(found).href);
    return;
  }
  throw new ConfigError(
    `${path} is TypeScript, which takes tsx to be read: npm install tsx, or compile it and name the .js file`,
  );
}

function resolved(from: string, specifier: string): string | undefined {
  try {
    return createRequire(from).resolve(specifier);
  } catch {
    return undefined;
  }
}

async function appOf(exported: Record<string, unknown>, path: string): Promise<App> {
  // What a CommonJS module exports is its default.
  const inside = exported.default as Record<string, unknown> | undefined;
  for (const candidate of [exported.app, inside, inside?.app, inside?.default]) {
    const value = await candidate;
    if (value instanceof App) return value;
    if (looksLikeApp(value)) {
      throw new ConfigError(
        `The app of ${path} is of another copy of lockkeeper than this command: ` +
          'run the one that is installed beside it, npx lockkeeper, from the folder of its package.json',
      );
    }
  }
  const names = Object.keys(exported);
  const rest = names.length > most ? ` and ${names.length - most} more` : '';
  const exports = names.length > 0 ? `${names.slice(0, most).join(', ')}${rest}` : 'nothing';
  throw new ConfigError(
    `${path} exports no app: it has to export one as \`app\`, or by default. It exports ${exports}`,
  );
}

/** Names of exports in an error. */
const most = 5;

function looksLikeApp(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'broker' in value && 'locks' in value;
}
