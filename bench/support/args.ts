import { parseArgs } from 'node:util';

/** A flag of a benchmark. What it takes is known from its default: a number, a text, or nothing. */
export interface Flag<T extends number | string | boolean = number | string | boolean> {
  readonly default: T;
  readonly help: string;
  /** What it takes besides URLs. Default: anything. */
  readonly names?: readonly string[];
}

type Values<F extends Record<string, Flag>> = {
  readonly [K in keyof F]: F[K] extends Flag<infer T> ? Widened<T> : never;
};
type Widened<T> = T extends number ? number : T extends string ? string : boolean;

const everywhere = {
  json: { default: false, help: 'one JSON object per row, and nothing else' },
} satisfies Record<string, Flag>;

const place = (names: readonly string[]) => ({
  default: 'memory',
  help: `${names.map((name) => `\`${name}\``).join(', ')} (on a server of its own), or a URL`,
  names,
});

export const broker = place(['memory', 'redis', 'rabbitmq']) satisfies Flag;
export const coordinator = place(['memory', 'redis', 'etcd', 'zookeeper']) satisfies Flag;
/** For what stands beside its peers, of which \`redlock\` has three servers. */
export const coordinatorOrRedlock = place([...coordinator.names, 'redlock']) satisfies Flag;

/** The flags a benchmark was called with. Ends the process when it was asked for help, or called wrongly. */
export function benchArgs<F extends Record<string, Flag>>(
  about: string,
  own: F,
): Values<F & typeof everywhere> {
  const flags = { ...own, ...everywhere };
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

function parsed<F extends Record<string, Flag>>(flags: F, given: Record<string, unknown>): Values<F> {
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

function helpOf(about: string, flags: Record<string, Flag>): string {
  const lines = Object.entries(flags).map(([name, flag]) => {
    const takes = kindOf(flag) === 'boolean' ? '' : ` (${flag.default})`;
    return `  --${name.padEnd(12)} ${flag.help}${takes}`;
  });
  return `${about}\n\n${lines.join('\n')}\n  --${'help'.padEnd(12)} show this`;
}

const kindOf = (flag: Flag) => (typeof flag.default === 'boolean' ? 'boolean' : 'string');
