import type { Figures } from './rounds.js';

/** What a figure must reach. */
export interface Bar {
  readonly text: string;
  readonly met: (value: number) => boolean;
}

export type Bars = Readonly<Record<string, Bar>>;

export const atLeast = (least: number): Bar => ({
  text: `at least ${readable(least)}`,
  met: (value) => value >= least,
});
export const atMost = (most: number): Bar => ({
  text: `at most ${readable(most)}`,
  met: (value) => value <= most,
});

interface Row {
  readonly what: string;
  readonly figures: Figures;
}

/** Tells what was measured: as tables and whether each bar is met, or as JSON. A missed bar is exit code 1. */
export class Report {
  readonly #bench: string;
  readonly #json: boolean;
  readonly #rows: Row[] = [];
  readonly #verdicts: string[] = [];

  constructor(bench: string, { json }: { json: boolean }) {
    this.#bench = bench;
    this.#json = json;
  }

  row(what: string, figures: Figures, bars: Bars = {}): void {
    const missed: string[] = [];
    for (const [name, bar] of Object.entries(bars)) {
      const value = figures[name] ?? Number.NaN;
      if (!bar.met(value)) missed.push(name);
      const verdict = bar.met(value) ? 'met   ' : 'MISSED';
      this.#verdicts.push(`${verdict}  ${what}: ${name} ${bar.text}, is ${readable(value)}`);
    }
    if (missed.length > 0) process.exitCode = 1;
    if (this.#json) console.log(JSON.stringify({ bench: this.#bench, what, ...figures, missed }));
    else this.#rows.push({ what, figures });
  }

  /** Prints what was not printed row by row. */
  end(): void {
    if (this.#json) return;
    for (const rows of sameColumns(this.#rows)) console.log(`${table(rows)}\n`);
    if (this.#verdicts.length > 0) console.log(this.#verdicts.join('\n'));
  }
}

/** Rows that follow each other and have the same figures make one table. */
function sameColumns(rows: readonly Row[]): Row[][] {
  const tables: Row[][] = [];
  const columns = ({ figures }: Row) => Object.keys(figures).join();
  for (const row of rows) {
    const last = tables.at(-1);
    if (last?.[0] && columns(last[0]) === columns(row)) last.push(row);
    else tables.push([row]);
  }
  return tables;
}

function table(rows: readonly Row[]): string {
  const header = ['', ...Object.keys(rows[0]?.figures ?? {})];
  const lines = rows.map(({ what, figures }) => [what, ...Object.values(figures).map(readable)]);
  const widths = header.map((_, column) =>
    Math.max(...[header, ...lines].map((line) => line[column]?.length ?? 0)),
  );
  const pad = (cell: string, column: number) => {
    return column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0);
  };
  return [header, ...lines].map((line) => line.map(pad).join('  ').trimEnd()).join('\n');
}

/** Three digits that matter. */
function readable(value: number): string {
  if (Number.isInteger(value) || Math.abs(value) >= 1_000) return Math.round(value).toLocaleString('en');
  return Number(value.toPrecision(3)).toString();
}
