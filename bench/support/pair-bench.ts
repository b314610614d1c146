import type { Bar, Report } from './report.js';
import { alternate, type Figures, type Rounds } from './rounds.js';

export type Pair = () => Promise<void>;

/** Something that can be acquired and released. */
export type PairCase =
  /** Makes the pair for a key of its own. */
  | { readonly pairFor: () => Pair }
  /** Runs so many pairs on each of so many keys elsewhere, and tells how many a second. */
  | { readonly rate: (keys: number, each: number) => Promise<number> };

export type PairCases = Readonly<Record<string, PairCase>>;

/** Cases in groups, one after the other. What follows the first of a group is compared with it, or with what its bar names. */
export interface PairBench {
  readonly groups: readonly PairCases[];
  /** What the ratio of a case to another of its group must reach, with so many keys at once. */
  bars(keys: number): Readonly<Record<string, { readonly to: string; readonly bar: Bar }>>;
  end(): Promise<void>;
}

export interface PairArgs {
  /** In a round with many keys at once. One after the other it is a fifth of them, which takes about as long. */
  readonly pairs: number;
  /** At once. */
  readonly keys: number;
  readonly rounds: number;
}

export async function runPairBench(bench: PairBench, report: Report, args: PairArgs): Promise<void> {
  for (const cases of bench.groups) {
    for (const keys of [1, args.keys]) tell(await measured(cases, keys, args), keys, bench, report);
  }
}

function measured(cases: PairCases, keys: number, { pairs, rounds }: PairArgs) {
  const each = Math.ceil((keys === 1 ? pairs / 5 : pairs) / keys);
  const measures = Object.entries(cases).map(([name, one]) => {
    if ('rate' in one) return [name, () => figures(one.rate(keys, each))] as const;
    const all = Array.from({ length: keys }, one.pairFor);
    return [name, () => measure(all, each)] as const;
  });
  return alternate(Object.fromEntries(measures), { rounds, warmUp: true });
}

function tell(rounds: Record<string, Rounds>, keys: number, bench: PairBench, report: Report): void {
  const bars = bench.bars(keys);
  const [firstName] = Object.keys(rounds) as [string];
  const how = keys === 1 ? 'one after the other' : `${keys} keys at once`;
  for (const [name, all] of Object.entries(rounds)) {
    const { to, bar } = bars[name] ?? { to: firstName };
    const ratioToPeer = all.ratio('pairsPerSecond', rounds[to] as Rounds);
    const beside = to === firstName ? '' : ` (beside ${to})`;
    report.row(`${name}, ${how}${beside}`, { ...all.medians, ratioToPeer }, bar ? { ratioToPeer: bar } : {});
  }
}

const figures = async (rate: Promise<number>): Promise<Figures> => ({ pairsPerSecond: await rate });

async function measure(pairs: readonly Pair[], each: number): Promise<Figures> {
  const start = performance.now();
  const many = async (pair: Pair) => {
    for (let i = 0; i < each; i++) await pair();
  };
  await Promise.all(pairs.map(many));
  return { pairsPerSecond: ((each * pairs.length) / (performance.now() - start)) * 1_000 };
}
