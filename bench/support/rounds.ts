import { showProgress } from './progress.js';

/** What one round measured, by the name of the figure. */
export type Figures = Readonly<Record<string, number>>;

/** All rounds of a case. */
export class Rounds {
  readonly #rounds: readonly Figures[];

  constructor(rounds: readonly Figures[]) {
    this.#rounds = rounds;
  }

  /** The median of each figure. */
  get medians(): Figures {
    const names = Object.keys(this.#rounds[0] ?? {});
    return Object.fromEntries(names.map((name) => [name, median(this.all(name))]));
  }

  /** The median of the ratios to a figure of another case in the same round. */
  ratio(name: string, other: Rounds, otherName = name): number {
    const others = other.all(otherName);
    return median(this.all(name).map((value, i) => value / (others[i] ?? Number.NaN)));
  }

  all(name: string): number[] {
    return this.#rounds.map((figures) => figures[name] ?? Number.NaN);
  }
}

/**
 * Runs each case once a round, so that whatever else the machine does falls on all of them alike, and each round begins
 * with another case, so that what one leaves behind is not always the same one's to clear. With `warmUp` there is one
 * round more, which is not counted.
 */
export async function alternate<C extends string>(
  cases: Readonly<Record<C, () => Promise<Figures>>>,
  { rounds, warmUp = false }: { rounds: number; warmUp?: boolean },
): Promise<Record<C, Rounds>> {
  const names = Object.keys(cases) as C[];
  const measured = new Map(names.map((name): [C, Figures[]] => [name, []]));
  for (let round = warmUp ? -1 : 0; round < rounds; round++) {
    for (const name of names) {
      showProgress(`${round < 0 ? 'warming up' : `round ${round + 1} of ${rounds}`}: ${name}`);
      const figures = await cases[name]();
      if (round >= 0) measured.get(name)?.push(figures);
    }
    names.push(...names.splice(0, 1));
  }
  showProgress('');
  const all = [...measured].map(([name, figures]) => [name, new Rounds(figures)] as const);
  return Object.fromEntries(all) as Record<C, Rounds>;
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** The value below which this share of the values lies. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (sorted.length - 1) * share;
  const [low = Number.NaN, high = low] = [sorted[Math.floor(at)], sorted[Math.ceil(at)]];
  return low + (high - low) * (at - Math.floor(at));
}
