/** How many tasks a second one worker gets through, what a limit costs, and how soon a task starts. */
import { createApp, createWorker, locked, type Task } from 'lockkeeper';
import { compareRunners } from './runners/compare.js';
import { Stopwatch, warmingCalls } from './runners/runner.js';
import { benchArgs, broker, coordinator } from './support/args.js';
import { newName } from './support/names.js';
import { atLeast, type Bars, Report } from './support/report.js';
import { alternate, type Figures, quantile } from './support/rounds.js';
import { onServers } from './support/servers.js';
import { settled } from './support/until.js';

await using args = await onServers(
  benchArgs(
    `Tasks that do nothing: enqueued in thousands, then worked off by one worker, with an app's default settings. In process
a round is four parts that take turns with those of the other cases.

  tasksPerSecond    from the first call to the last settled
  enqueuedPerSecond the calls alone
  drainedPerSecond  the worker alone
  ratioToRaw        tasksPerSecond, and drainedRatioToRaw drainedPerSecond, to those of tasks without a limit
  cpuMicrosPerTask  time of the processor, all threads: other programs disturb it less
  latencyP50Ms      from the call to the body, at 100 calls a second, of a worker that stays and has run 6,000 before
  latencyP99Ms

Over a broker on a server it is the worker alone that is measured, in a process of its own, in turns with others: on Redis,
which keeps the limits too, with BullMQ, bee-queue and one that reads Streams and does nothing else; on RabbitMQ with one
that consumes by amqplib, acknowledges, and does nothing else. No results are kept, and nothing of what has ended.

  workerCpuUsPerTask
  least, most       drainedPerSecond in all rounds
  ratioToBullMq     drainedPerSecond, and ratioToRaw, to that of the Streams, or of amqplib
  ratioToBeeQueue   latencyP50Ms`,
    {
      tasks: { default: 20_000, help: 'tasks in a round' },
      concurrency: { default: 50, help: 'slots of the worker' },
      rounds: { default: 15, help: 'rounds of each' },
      ignoreResults: { default: false, help: 'keep no results' },
      seconds: { default: 20, help: 'how long latency is measured' },
      only: { default: 'both', help: 'measure drain, latency, or both', names: ['drain', 'latency', 'both'] },
      broker,
      coordinator,
    },
  ),
);

const kinds = {
  none: 'no limit',
  shared: 'one resource with room for all',
  own: 'a key of its own for each task',
};
type Kind = keyof typeof kinds;

/** A round's tasks are drained in so many parts, in turns: what disturbs one of a tenth of a second does not disturb all. */
const parts = 4;
const tasks = Math.ceil(args.tasks / parts);

/** An app with one task, whose body only tells that it runs. */
function appWith(kind: Kind, body: (index: number) => void) {
  const app = createApp({ broker: args.broker, coordinator: args.coordinator });
  const options = { ignoreResult: args.ignoreResults };
  const name = newName();
  const limits = {
    none: [],
    shared: [locked(name, 1_000_000)],
    own: [locked((index: number) => `${name}:${index}`)],
  };
  return { app, work: app.task('work', { limits: limits[kind], ...options }, body) };
}

async function drain(kind: Kind): Promise<Figures> {
  let left = tasks;
  let allRun!: () => void;
  const bodies = new Promise<void>((resolve) => {
    allRun = resolve;
  });
  const { app, work } = appWith(kind, () => {
    if (--left === 0) allRun();
  });

  const cpu = process.cpuUsage();
  const start = performance.now();
  await enqueue(work);
  const enqueued = performance.now();
  await createWorker(app, { concurrency: args.concurrency }).start();
  await bodies;
  await settled(app);
  const end = performance.now();
  const { user, system } = process.cpuUsage(cpu);

  await app.close();
  return {
    tasksPerSecond: perSecond(end - start),
    enqueuedPerSecond: perSecond(enqueued - start),
    drainedPerSecond: perSecond(end - enqueued),
    cpuMicrosPerTask: (user + system) / tasks,
  };
}

async function enqueue(work: Task<[number], void>): Promise<void> {
  for (let from = 0; from < tasks; from += 1_000) {
    const batch = Array.from({ length: Math.min(1_000, tasks - from) }, (_, i): [number] => [from + i]);
    await work.delayMany(batch);
  }
}

const perSecond = (ms: number): number => (tasks / ms) * 1_000;

async function latency(kind: Kind): Promise<Figures> {
  const stopwatch = new Stopwatch();
  const { app, work } = appWith(kind, stopwatch.begun);
  const call = (index: number) => work.delay(index);
  await createWorker(app, { concurrency: args.concurrency }).start();
  await stopwatch.time(call, warmingCalls.calls, warmingCalls.pause);
  const latencies = await stopwatch.time(call, args.seconds * 100, 10);
  await settled(app);
  await app.close();
  return { latencyP50Ms: quantile(latencies, 0.5), latencyP99Ms: quantile(latencies, 0.99) };
}

const report = new Report('throughput', args);
if (args.broker.startsWith('memory')) await compareLimits();
else await compareRunners(report, args);
report.end();

async function compareLimits(): Promise<void> {
  if (args.only !== 'latency') await compareDrains();
  if (args.only === 'drain') return;
  for (const kind of Object.keys(kinds) as Kind[]) {
    report.row(`${kinds[kind]}, 100/s`, await latency(kind));
  }
}

async function compareDrains(): Promise<void> {
  const drained = await alternate(
    { none: () => drain('none'), shared: () => drain('shared'), own: () => drain('own') },
    { rounds: args.rounds * parts, warmUp: true },
  );
  for (const kind of Object.keys(kinds) as Kind[]) {
    const ratios = {
      ratioToRaw: drained[kind].ratio('tasksPerSecond', drained.none),
      drainedRatioToRaw: drained[kind].ratio('drainedPerSecond', drained.none),
    };
    const bars: Bars = kind === 'shared' ? { ratioToRaw: atLeast(0.9) } : {};
    report.row(kinds[kind], { ...drained[kind].medians, ...ratios }, bars);
  }
}
