import type { Logger } from 'pino';
import { ConfigError } from '../errors.js';

export const levels = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type Level = (typeof levels)[number];

export const formats = ['text', 'json'] as const;
export type Format = (typeof formats)[number];

/** A logger to the standard output: a JSON object a line, or for a terminal a text with what else it bears behind. */
export async function createLog(level: Level, format: Format): Promise<Logger> {
  const { pino } = await load();
  const options = {
    level,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  const write = (text: string) => void process.stdout.write(text);
  return pino(options, { write: format === 'json' ? write : (line: string) => write(asText(line)) });
}

async function load(): Promise<Pick<typeof import('pino'), 'pino'>> {
  try {
    return await import('pino');
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new ConfigError('The worker command needs the package `pino`: npm install pino', { cause: error });
  }
}

interface Line {
  readonly level: string;
  readonly time: string;
  readonly msg?: string;
  readonly err?: { readonly stack?: string; readonly message?: string };
  readonly [field: string]: unknown;
}

/** What the text of a line says already. */
const said = new Set(['event', 'task', 'took', 'waited', 'resources', 'pid', 'hostname']);

/** `03:14:15.926 INFO  save is done in 12 ms  id=… queue=default`, and below it the stack of an error. */
function asText(line: string): string {
  const { level, time, msg = '', err, ...fields } = JSON.parse(line) as Line;
  const others = Object.entries(fields).filter(([name]) => !said.has(name));
  const known = others.map(([name, value]) => `${name}=${brief(value)}`);
  const head = [time.slice(11, 23), level.toUpperCase().padEnd(5), msg].join(' ');
  const stack = err ? `\n${(err.stack ?? err.message ?? '').replace(/^/gm, '    ')}` : '';
  return `${[head, ...known].join('  ')}${stack}\n`;
}

function brief(value: unknown): string {
  return typeof value === 'string' && /^\S+$/.test(value) ? value : JSON.stringify(value);
}
