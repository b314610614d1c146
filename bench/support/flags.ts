import { parseArgs } from 'node:util';

/** A flag of a program. What it takes is known from its default: a number, a text, or nothing. */
export interface Flag<T extends number | string | boolean = number | string | boolean> {
  readonly default: T;
  readonly help: string;
  /** What it takes besides URLs. Default: anything. */
  readonly names?: readonly string[];
}

export type Flags = Readonly<Record<string, Flag>>;

export type Values<F extends Flags> = {
  readonly [K in keyof F]: F[K] extends Flag<infer T> ? Widened<T> : never;
};
type Widened<T> = T extends number ? number : T extends string ? string : boolean;

/** The flags this program was called with. Ends the process when it was asked for help, or called wrongly. */
export function readFlags<F extends Flags>(about: string, flags: F): Values<F> {
  try {
    const options = Object.entries(flags).map(([name, flag]) => [name, { type: kindOf(flag) }] as const);
    const { values } = parseArgs({ options: { ...Object.fromEntries(options), help: { type: 'boolean' } } });
    if (!values.help) return parsed(flags, values);
    console.log(helpOf(about, flags));
    process.exit(0);
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${helpOf(about, flags)}`);
    process.exit(2);
  }
}

function parsed<F extends Flags>(flags: F, given: Record<string, unknown>): Values<F> {
  const values = Object.entries(flags).map(([name, flag]) => [name, read(name, flag, given[name])]);
  return Object.fromEntries(values);
}

function read(name: string, flag: Flag, given: unknown): unknown {
  if (given === undefined) return flag.default;
  if (typeof flag.default !== 'number') return checkName(name, flag, given);
  const value = Number(given);
  if (Number.isInteger(value) && value > 0) return value;
  throw new Error(`Expected --${name} to be a whole number from 1 up, got "${given}"`);
}

function checkName(name: string, { names }: Flag, given: unknown): unknown {
  if (!names || names.includes(given as string) || String(given).includes(':')) return given;
  throw new Error(`Expected --${name} to be ${names.join(', ')} or a URL, got "${given}"`);
}

function helpOf(about: string, flags: Flags): string {
  const lines = Object.entries(flags).map(([name, flag]) => {
    const takes = !flag.default ? '' : ` (${flag.default})`;
    return `  --${name.padEnd(12)} ${flag.help}${takes}`;
  });
  return `${about}\n\n${lines.join('\n')}\n  --${'help'.padEnd(12)} show this`;
}

const kindOf = (flag: Flag) => (typeof flag.default === 'boolean' ? 'boolean' : 'string');
