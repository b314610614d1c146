import { until } from '../support/until.js';
import type { Fault, Stage } from './faults.js';

/** Sides or processes that never stop wanting the same permits, and what was seen of it. */
export interface Contest {
  readonly acquisitions: number;
  /** In words. */
  readonly violations: readonly string[];
  /** What they were told instead of being let in, by the name of the error. */
  readonly errors: ReadonlyMap<string, number>;
  /** Resolves when all have been let in a few times more. Rejects when they are not within half a minute. */
  goesOn(): Promise<void>;
  /** Resolves when nobody holds or wants anything any more. */
  end(): Promise<void>;
}

export interface Play<S extends Stage> {
  /** What the totals begin with. */
  readonly title?: string;
  readonly stage: S;
  readonly load: Contest;
  /** Whether nothing is left. */
  clean(): Promise<boolean>;
  readonly count: number;
  /** Only those whose name contains this. Default: all. */
  readonly only?: string;
}

let unhandled = 0;

/** How many faults there are between looks at what was seen. */
const lookEvery = 25;

/**
 * One fault after another, in turn. After each all have to go on within half a minute, and in the end nothing may be left.
 * Prints totals, and makes the program fail when anything was not as it should be.
 */
export async function playFaults<S extends Stage>(
  faults: Readonly<Record<string, Fault<S>>>,
  { title, stage, load, clean, count, only = '' }: Play<S>,
): Promise<void> {
  if (process.listenerCount('unhandledRejection') === 0) process.on('unhandledRejection', noteUnhandled);
  const names = Object.keys(faults).filter((name) => name.includes(only));
  let played = 0;
  const report = () =>
    `${title ? `${title}: ` : ''}${load.acquisitions} acquisitions, ${played} faults, ` +
    `${load.violations.length} violations, ${unhandled} unhandled rejections`;
  try {
    await load.goesOn();
    while (played < count) {
      const name = names[played % names.length] as string;
      console.log(`${++played}: ${name}`);
      await faults[name]?.(stage);
      await load.goesOn();
      if (played % lookEvery > 0) continue;
      console.log(report());
      if (load.violations.length > 0) break;
    }
    await load.end();
    await until(clean, 30_000);
  } catch (error) {
    console.error(error);
    process.exitCode = 1;
  }
  for (const violation of load.violations) console.error(violation);
  if (load.violations.length + unhandled > 0) process.exitCode = 1;
  console.log(report(), Object.fromEntries(load.errors));
}

function noteUnhandled(error: unknown): void {
  unhandled++;
  console.error('Unhandled rejection:', error);
}
