import type { Bar, Report } from './report.js';
import { alternate, type Figures, type Rounds } from './rounds.js';

export type Pair = () => Promise<void>;

/** Something that can be acquired and released. */
export type PairCase =
  /** Makes the pair for a key of its own. */
  | { readonly pairFor: () => Pair }
  /** Runs so many pairs on each of so many keys elsewhere, and tells how many a second. */
  | { readonly rate: (keys: number, each: number) => Promise<number> };

/** Cases on servers of their own. What follows the first is compared with it, and the bars are for those ratios. */
export interface PairBench {
  readonly cases: Readonly<Record<string, PairCase>>;
  /** What the ratio of a case to another must reach, with so many keys at once. */
  bars(keys: number): Readonly<Record<string, { readonly to: string; readonly bar: Bar }>>;
  end(): Promise<void>;
}

export interface PairArgs {
  /** In a round. */
  readonly pairs: number;
  /** At once. */
  readonly keys: number;
  readonly rounds: number;
}

export async function runPairBench(bench: PairBench, report: Report, args: PairArgs): Promise<void> {
  for (const keys of [1, args.keys]) {
    const each = Math.ceil(args.pairs / keys);
    const measured = Object.entries(bench.cases).map(([name, one]) => {
      const pairs = 'pairFor' in one ? Array.from({ length: keys }, one.pairFor) : undefined;
      return [
        name,
        () => (pairs ? measure(pairs, each) : figures((one as Elsewhere).rate(keys, each))),
      ] as const;
    });
    const rounds = await alternate(Object.fromEntries(measured), { rounds: args.rounds, warmUp: true });
    const bars = bench.bars(keys);
    const [first] = Object.values(rounds) as [Rounds];
    for (const [name, all] of Object.entries(rounds)) {
      const bar = bars[name];
      const peer = bar ? (rounds[bar.to] as Rounds) : first;
      const ratioToPeer = all.ratio('pairsPerSecond', peer);
      const how = keys === 1 ? 'one after the other' : `${keys} keys at once`;
      const beside = bar && bar.to !== Object.keys(rounds)[0] ? ` (beside ${bar.to})` : '';
      report.row(
        `${name}, ${how}${beside}`,
        { ...all.medians, ratioToPeer },
        bar ? { ratioToPeer: bar.bar } : {},
      );
    }
  }
}

type Elsewhere = Extract<PairCase, { rate: unknown }>;

const figures = async (rate: Promise<number>): Promise<Figures> => ({ pairsPerSecond: await rate });

export async function measure(pairs: readonly Pair[], each: number): Promise<Figures> {
  const start = performance.now();
  const many = async (pair: Pair) => {
    for (let i = 0; i < each; i++) await pair();
  };
  await Promise.all(pairs.map(many));
  return { pairsPerSecond: ((each * pairs.length) / (performance.now() - start)) * 1_000 };
}
