import type { Meters } from './meter.js';
import type { Observer } from './observer.js';

/** Of a package that was archived. */
export interface Archived {
  files: number;
  bytes: number;
  written: number;
  leftOut: number;
}

/** What came of a run of the demo, as its tasks and the app's events saw it. */
export interface Report {
  seconds: number;
  archived: readonly Archived[];
  storage: Holders & { used: number };
  /** The scope that had the most, of how many. */
  scopes: Holders & { count: number };
  /** The most starts within any second, and how late the event loop ever was, in seconds. */
  index: { most: number; rate: number; late: number };
  deliveriesPerTask: Readonly<Record<string, number>>;
  /** Tasks that failed, and archives that are damaged. */
  failures: readonly string[];
}

export interface Holders {
  /** The most ever seen at once. */
  most: number;
  capacity: number;
}

export function limitsSeen(
  resources: { storage: { capacity: number }; index: { rate: string } },
  meters: Meters,
  observer: Observer,
): Omit<Report, 'seconds' | 'archived' | 'failures'> {
  const storage = meters.of('storage');
  const { capacity } = resources.storage;
  const scopes = meters.resources
    .filter((name) => name.startsWith('@'))
    .map((scope) => meters.of(scope).most);
  return {
    storage: { most: storage.most, capacity, used: storage.used(capacity) },
    scopes: { most: Math.max(0, ...scopes), capacity: 1, count: scopes.length },
    index: {
      most: meters.of('index').mostWithin(1_000),
      rate: Number.parseInt(resources.index.rate, 10),
      late: observer.late,
    },
    deliveriesPerTask: observer.deliveriesPerTask,
  };
}

/** Tells what came of it, and returns the exit code. */
export function tell(report: Report | undefined): number {
  if (!report) {
    console.error('\nInterrupted: the packages that were in hand are archived, and the others are not.');
    return 130;
  }
  console.log(summaryOf(report));
  const problems = problemsOf(report);
  for (const problem of problems) console.error(`Wrong: ${problem}`);
  if (problems.length > 0) return 1;
  console.log('No limit was exceeded, and every archive opens again.');
  return 0;
}

/** Every limit that was exceeded, and all that failed, as sentences. */
export function problemsOf({ storage, scopes, index, failures }: Report): string[] {
  const problems = [...failures];
  for (const [name, { most, capacity }] of Object.entries({ storage, 'a scope': scopes })) {
    if (most > capacity)
      problems.push(`${name} had ${most} holders at once, and its capacity is ${capacity}`);
  }
  if (index.most > mostStarts(index)) {
    problems.push(`index had ${index.most} starts within a second, and its rate is ${index.rate}/s`);
  }
  return problems;
}

/** A busy event loop makes a start late, and so moves it into the next second. No start is ever early. */
function mostStarts({ rate, late }: Report['index']): number {
  return Math.floor(rate * (1 + late)) + 1;
}

export function summaryOf({ seconds, archived, storage, scopes, index, deliveriesPerTask }: Report): string {
  const row = (name: string, facts: string) => `  ${name.padEnd(20)} ${facts}`;
  return [
    `\nIn ${seconds.toFixed(1)} s`,
    row('packages', `${archived.length}`),
    row('files', `${sum(archived, 'files')}, and ${sum(archived, 'leftOut')} left out as too large`),
    row('read', megabytes(sum(archived, 'bytes'))),
    row('written', megabytes(sum(archived, 'written'))),
    '\nMost holders at once',
    row(
      'storage',
      `${storage.most} of ${storage.capacity}, ${(storage.used * 100).toFixed(0)} % of its capacity used`,
    ),
    row(`${scopes.count} scopes`, `${scopes.most} of ${scopes.capacity} in each`),
    '\nMost starts within a second',
    row(
      'index',
      `${index.most} of ${mostStarts(index)}, at ${index.rate}/s and up to ${(index.late * 1_000).toFixed(0)} ms late`,
    ),
    '\nDeliveries per task',
    ...Object.entries(deliveriesPerTask).map(([name, count]) => row(name, count.toFixed(2))),
    '',
  ].join('\n');
}

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;

function sum(archived: readonly Archived[], figure: keyof Archived): number {
  return archived.reduce((total, one) => total + one[figure], 0);
}
