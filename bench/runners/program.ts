/** A runner in a process of its own: is told what to do, and tells what came of it. */
import type { Figures } from '../support/rounds.js';
import { rawAmqplib } from './amqplib.js';
import { beeQueue } from './bee-queue.js';
import { bullmq } from './bullmq.js';
import { limits, lockkeeper } from './lockkeeper.js';
import { type Call, type Runner, Stopwatch } from './runner.js';
import { streams } from './streams.js';

/** What a runner is told to do. */
export type Order = Drain | Calls;

interface Drain {
  readonly tasks: number;
  readonly concurrency: number;
}

/** One after the other, so many milliseconds apart. */
interface Calls {
  readonly calls: number;
  readonly pause: number;
}

const peers: Record<string, (url: string) => Runner> = {
  BullMQ: bullmq,
  'bee-queue': beeQueue,
  'raw Streams': streams,
  'raw amqplib': rawAmqplib,
};

const [, , name = '', url = '', coordinator = ''] = process.argv;
const runner =
  name in limits ? lockkeeper(url, coordinator, name as keyof typeof limits) : peers[name]?.(url);
if (!runner) throw new Error(`Nothing is called "${name}"`);

const stopwatch = new Stopwatch();
let serving: Promise<Call> | undefined;

process.on('message', (order: Order) => void obey(order, runner));
process.once('disconnect', () => void runner.close().then(() => process.exit()));

async function obey(order: Order, of: Runner): Promise<void> {
  process.send?.('tasks' in order ? await drain(order, of) : await latencies(order, of));
}

/**
 * No garbage is collected by force before: V8 would forget the shapes of which no object is alive, and compile anew, in
 * every round, all that relies on them.
 */
async function drain({ tasks, concurrency }: Drain, of: Runner): Promise<Figures> {
  await of.fill(tasks);
  const [start, before] = [performance.now(), process.cpuUsage()];
  await of.drain(tasks, concurrency);
  const ms = performance.now() - start;
  const { user, system } = process.cpuUsage(before);
  return { drainedPerSecond: (tasks / ms) * 1_000, workerCpuUsPerTask: (user + system) / tasks };
}

/** Nothing is drained any more by then: the worker stays. */
async function latencies({ calls, pause }: Calls, of: Runner): Promise<readonly number[]> {
  serving ??= of.serve(stopwatch.begun);
  return await stopwatch.time(await serving, calls, pause);
}
