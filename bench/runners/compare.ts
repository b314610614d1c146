import type { ChildProcess } from 'node:child_process';
import { atLeast, atMost, type Bars, type Report } from '../support/report.js';
import { alternate, type Figures, quantile, type Rounds } from '../support/rounds.js';
import { startProgram, told } from '../support/told.js';
import type { Order } from './program.js';
import { warmingCalls } from './runner.js';

interface CompareArgs {
  readonly broker: string;
  readonly coordinator: string;
  readonly tasks: number;
  readonly concurrency: number;
  readonly rounds: number;
  readonly seconds: number;
  /** `drain`, `latency` or `both`. */
  readonly only: string;
}

/** Who else runs tasks over the same server. */
interface Company {
  readonly peers: readonly string[];
  /** Names of figures, and the peers that they compare with. */
  readonly drained: Readonly<Record<string, string>>;
  readonly latency: Readonly<Record<string, string>>;
  readonly bars: Readonly<Record<string, Bars>>;
}

const ours = ['no limit', 'one resource with room for all', 'a lock of its own for each task'] as const;

const onRedis: Company = {
  peers: ['raw Streams', 'BullMQ', 'bee-queue'],
  drained: { ratioToBullMq: 'BullMQ', ratioToRaw: 'raw Streams' },
  latency: { ratioToBeeQueue: 'bee-queue' },
  bars: {
    'no limit': { ratioToBullMq: atLeast(5), ratioToRaw: atLeast(0.6), ratioToBeeQueue: atMost(1) },
    'one resource with room for all': { ratioToBullMq: atLeast(2.5) },
    'a lock of its own for each task': { ratioToBullMq: atLeast(1) },
  },
};

const onRabbitMq: Company = {
  peers: ['raw amqplib'],
  drained: { ratioToRaw: 'raw amqplib' },
  latency: {},
  bars: { 'no limit': { ratioToRaw: atLeast(0.8) } },
};

/** One worker process of each, which takes its turn with the others. */
export async function compareRunners(report: Report, args: CompareArgs): Promise<void> {
  const { broker, coordinator } = args;
  const company = broker.startsWith('redis') ? onRedis : onRabbitMq;
  const keeper = coordinator === 'memory' && company === onRedis ? broker : coordinator;
  const children = Object.fromEntries(
    [...company.peers, ...ours].map((name) => [name, startProgram(program, name, broker, keeper)]),
  );
  await warmUp(children, args);
  if (args.only !== 'latency') await compareDrains(report, children, company, args);
  if (args.only !== 'drain') await compareLatencies(report, children, company, args);
  for (const child of Object.values(children)) child.disconnect();
}

const program = new URL('./program.ts', import.meta.url);

type Children = Readonly<Record<string, ChildProcess>>;

/** A compiler needs to have seen a lot of them. */
async function warmUp(children: Children, { tasks, concurrency }: CompareArgs): Promise<void> {
  const order: Order = { tasks, concurrency };
  for (const child of Object.values(children)) for (let i = 0; i < 2; i++) await told(child, order);
}

async function compareDrains(
  report: Report,
  children: Children,
  { drained, bars }: Company,
  { tasks, concurrency, rounds }: CompareArgs,
): Promise<void> {
  const order: Order = { tasks, concurrency };
  const all = await alternate(
    mapped(children, (child) => () => told<Figures>(child, order)),
    { rounds },
  );
  for (const [name, of] of Object.entries(all)) {
    const rates = of.all('drainedPerSecond');
    const figures = {
      ...of.medians,
      least: Math.min(...rates),
      most: Math.max(...rates),
      ...mapped(drained, (peer) => of.ratio('drainedPerSecond', all[peer] as Rounds)),
    };
    report.row(`${name}, ${concurrency} slots`, figures, those(bars[name], figures));
  }
}

/**
 * In turns of a second each, so that whatever else the machine does falls on all of them alike, when all are warm; and each
 * round begins with another, so that what one leaves in the caches is not always the same one's to clear.
 */
async function compareLatencies(
  report: Report,
  children: Children,
  { latency, bars }: Company,
  { seconds }: CompareArgs,
): Promise<void> {
  const order: Order = { calls: 100, pause: 10 };
  const all = Object.fromEntries(Object.keys(children).map((name) => [name, [] as number[]]));
  for (const child of Object.values(children)) await told<number[]>(child, warmingCalls);
  const turns = Object.entries(children);
  for (let round = 0; round < seconds; round++) {
    for (const [name, child] of turns) all[name]?.push(...(await told<number[]>(child, order)));
    turns.push(...turns.splice(0, 1));
  }
  const p50 = mapped(all, (latencies) => quantile(latencies, 0.5));
  for (const [name, latencies] of Object.entries(all)) {
    const latencyP50Ms = p50[name] ?? Number.NaN;
    const figures = {
      latencyP50Ms,
      latencyP99Ms: quantile(latencies, 0.99),
      ...mapped(latency, (peer) => latencyP50Ms / (p50[peer] ?? Number.NaN)),
    };
    report.row(`${name}, 100/s`, figures, those(bars[name], figures));
  }
}

/** The bars for figures that are there. */
function those(bars: Bars = {}, figures: Figures): Bars {
  return Object.fromEntries(Object.entries(bars).filter(([name]) => name in figures));
}

function mapped<A, B>(of: Readonly<Record<string, A>>, map: (value: A) => B): Record<string, B> {
  return Object.fromEntries(Object.entries(of).map(([name, value]) => [name, map(value)]));
}
