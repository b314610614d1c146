import type { ChildProcess } from 'node:child_process';
import { atLeast, atMost, type Bars, type Report } from '../support/report.js';
import { alternate, type Figures, quantile, type Rounds } from '../support/rounds.js';
import { startProgram, told } from '../support/told.js';
import type { Order } from './program.js';

interface CompareArgs {
  readonly broker: string;
  readonly tasks: number;
  readonly concurrency: number;
  readonly rounds: number;
  readonly seconds: number;
}

const raw = 'raw Streams';
const ours = ['no limit', 'one resource with room for all', 'a lock of its own for each task'] as const;
const peers = [raw, 'BullMQ', 'bee-queue'];

const bars: Readonly<Record<string, Bars>> = {
  'no limit': { ratioToBullMq: atLeast(5), ratioToRaw: atLeast(0.6) },
  'one resource with room for all': { ratioToBullMq: atLeast(2.5) },
  'a lock of its own for each task': { ratioToBullMq: atLeast(1) },
};

/** One worker process of each, which takes its turn with the others. */
export async function compareRunners(report: Report, args: CompareArgs): Promise<void> {
  const children = Object.fromEntries(
    [...peers, ...ours].map((name) => [name, startProgram(program, name, args.broker)]),
  );
  await compareDrains(report, children, args);
  await compareLatencies(report, children, args);
  for (const child of Object.values(children)) child.disconnect();
}

const program = new URL('./program.ts', import.meta.url);

type Children = Readonly<Record<string, ChildProcess>>;

async function compareDrains(report: Report, children: Children, args: CompareArgs): Promise<void> {
  const { tasks, concurrency, rounds } = args;
  const order: Order = { tasks, concurrency };
  // A compiler needs to have seen a lot of them.
  for (const child of Object.values(children)) for (let i = 0; i < 2; i++) await told(child, order);
  const all = await alternate(
    mapped(children, (child) => () => told<Figures>(child, order)),
    { rounds },
  );
  for (const [name, drained] of Object.entries(all)) {
    const [bullMq, streams] = [all.BullMQ, all[raw]] as [Rounds, Rounds];
    const rates = drained.all('drainedPerSecond');
    const figures = {
      ...drained.medians,
      least: Math.min(...rates),
      most: Math.max(...rates),
      ratioToBullMq: drained.ratio('drainedPerSecond', bullMq),
      ratioToRaw: drained.ratio('drainedPerSecond', streams),
    };
    report.row(`${name}, ${concurrency} slots`, figures, bars[name]);
  }
}

/** In turns of a second each, so that whatever else the machine does falls on all of them alike. */
async function compareLatencies(report: Report, children: Children, { seconds }: CompareArgs): Promise<void> {
  const order: Order = { calls: 100, pause: 10 };
  const all = Object.fromEntries(Object.keys(children).map((name) => [name, [] as number[]]));
  for (let turn = -1; turn < seconds; turn++) {
    for (const [name, child] of Object.entries(children)) {
      const latencies = await told<number[]>(child, order);
      if (turn >= 0) all[name]?.push(...latencies);
    }
  }
  const peer = quantile(all['bee-queue'] ?? [], 0.5);
  for (const [name, latencies] of Object.entries(all)) {
    const latencyP50Ms = quantile(latencies, 0.5);
    const figures = {
      latencyP50Ms,
      latencyP99Ms: quantile(latencies, 0.99),
      ratioToBeeQueue: latencyP50Ms / peer,
    };
    report.row(`${name}, 100/s`, figures, name === 'no limit' ? { ratioToBeeQueue: atMost(1) } : {});
  }
}

function mapped<A, B>(of: Readonly<Record<string, A>>, map: (value: A) => B): Record<string, B> {
  return Object.fromEntries(Object.entries(of).map(([name, value]) => [name, map(value)]));
}
