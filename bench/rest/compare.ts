import type { ChildProcess } from 'node:child_process';
import { type App, createApp, locked, type Task } from 'lockkeeper';
import { inThousands } from '../runners/runner.js';
import { holdAll } from '../support/holder.js';
import { newName } from '../support/names.js';
import { atMost, type Report } from '../support/report.js';
import type { Figures } from '../support/rounds.js';
import { startProgram, told } from '../support/told.js';
import { RedisFacts } from './redis.js';
import type { Look, Order } from './worker.js';

interface Args {
  readonly broker: string;
  readonly coordinator: string;
  readonly take: number;
  readonly most: number;
  readonly seconds: number;
}

const slots = 50;
const sizes = [1_000, 10_000, 100_000, 1_000_000];

/** Messages that wait in Redis for a worker in a process of its own, and what that costs either of them. */
export async function compareParked(report: Report, args: Args): Promise<void> {
  await using crowd = await Crowd.open(args);
  // A compiler needs to have seen a lot of them.
  await crowd.round(Math.min(args.most, 20_000));
  let first: Figures | undefined;
  for (const size of sizes.filter((one) => one <= args.most)) {
    const figures = await crowd.round(size);
    first ??= figures;
    const costToFirst = (figures.takenUs ?? 0) / (first.takenUs ?? 0);
    report.row(
      `${size.toLocaleString('en')} parked`,
      { ...figures, costToFirst },
      { heapGrownMb: atMost(10), costToFirst: atMost(1.2) },
    );
  }
}

/** One worker, and somebody else who holds what its tasks need. */
class Crowd {
  readonly #args: Args;
  readonly #app: App;
  readonly #work: Task<[string], void>;
  readonly #redis: RedisFacts;
  readonly #worker: ChildProcess;
  readonly #queue: string;
  /** Before anything was parked. */
  #atFirst!: Look;

  private constructor(args: Args) {
    this.#args = args;
    this.#queue = newName('queue');
    this.#app = createApp({ broker: args.broker, coordinator: args.coordinator });
    const options = { queue: this.#queue, ignoreResult: true, limits: [locked((key: string) => key)] };
    this.#work = this.#app.task('work', options, (_key: string) => {});
    this.#redis = new RedisFacts(args.broker);
    this.#worker = startProgram(new URL('./worker.ts', import.meta.url));
  }

  static async open(args: Args): Promise<Crowd> {
    const crowd = new Crowd(args);
    const { broker, coordinator } = args;
    await crowd.#ask({ broker, coordinator, queue: crowd.#queue, slots, capacity: 1 });
    return crowd;
  }

  async round(messages: number): Promise<Figures> {
    const key = newName('busy');
    const letGo = await holdAll([key], this.#args);
    this.#atFirst ??= await this.#ask('look');
    const memoryBefore = await this.#redis.memory();
    const calledAt = performance.now();
    for (let from = 0; from < messages; from += 10_000) {
      await this.#work.delayMany(Array.from({ length: Math.min(10_000, messages - from) }, () => [key]));
    }
    await this.#parked(messages);
    const parkedPerSecond = (messages / (performance.now() - calledAt)) * 1_000;
    const redisBytesPerParked = ((await this.#redis.memory()) - memoryBefore) / messages;
    const full = await this.#ask('look');

    const taken = await this.#take(Math.min(messages, this.#args.take), letGo);
    await this.#app.broker.purge(this.#queue);
    const heapGrownMb = full.heapMb - this.#atFirst.heapMb;
    const rssGrownMb = full.rssMb - this.#atFirst.rssMb;
    return { parkedPerSecond, redisBytesPerParked, heapGrownMb, rssGrownMb, ...taken };
  }

  /** The resource comes free, and so many are worked off, one after the other. */
  async #take(count: number, letGo: () => Promise<void>): Promise<Figures> {
    const [before, redisBefore] = [await this.#ask('look'), await this.#redis.cpuUs()];
    const commands = await this.#redis.commands();
    const reached = this.#ask({ ran: before.ran + count });
    await letGo();
    const after = await reached;
    const ran = after.ran - before.ran;
    return {
      takenUs: ((after.ms - before.ms) * 1_000) / ran,
      workerCpuUsPerTask: (after.cpuUs - before.cpuUs) / ran,
      redisCpuUsPerTask: ((await this.#redis.cpuUs()) - redisBefore) / ran,
      redisCommandsPerTask: ((await this.#redis.commands()) - commands) / ran,
    };
  }

  async #parked(count: number): Promise<void> {
    while ((await this.#app.broker.depth(this.#queue)).parked < count) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  #ask(order: Order): Promise<Look> {
    return told(this.#worker, order);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#worker.disconnect();
    this.#redis.close();
    await this.#app.close();
  }
}

/** What a worker asks of Redis that has nothing to do, beside one of BullMQ. */
export async function compareAtRest(report: Report, { broker, coordinator, seconds }: Args): Promise<void> {
  const redis = new RedisFacts(broker);
  const rates: Record<string, number> = {};
  for (const name of ['bullmq', 'worker']) {
    const child = startProgram(new URL(`./${name}.ts`, import.meta.url));
    await told(child, { broker, coordinator, queue: newName('rest'), slots, capacity: 1 });
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    const before = await redis.commands();
    await new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
    rates[name] = ((await redis.commands()) - before) / seconds;
    child.disconnect();
  }
  redis.close();
  report.row('BullMQ at rest', { redisCommandsPerSecond: rates.bullmq ?? 0 });
  report.row(
    'a worker at rest',
    { redisCommandsPerSecond: rates.worker ?? 0 },
    { redisCommandsPerSecond: atMost(rates.bullmq ?? 0) },
  );
}

/** What it costs Redis when tasks share a resource of which there is less than there are slots. */
export async function compareShared(report: Report, { broker, coordinator }: Args): Promise<void> {
  const [tasks, capacity, queue, key] = [20_000, 4, newName('queue'), newName('shared')];
  const app = createApp({ broker, coordinator });
  const options = { queue, ignoreResult: true, limits: [locked((one: string) => one, capacity)] };
  const work = app.task('work', options, (_key: string) => {});
  await inThousands(tasks, (indices) => work.delayMany(indices.map((): [string] => [key])));

  const redis = new RedisFacts(broker);
  const child = startProgram(new URL('./worker.ts', import.meta.url));
  const commands = await redis.commands();
  const cpuUs = await redis.cpuUs();
  const start = await told<Look>(child, { broker, coordinator, queue, slots, capacity });
  const end = await told<Look>(child, { ran: tasks });
  const redisCommandsPerTask = ((await redis.commands()) - commands) / tasks;
  const figures = {
    redisCommandsPerTask,
    redisCpuUsPerTask: ((await redis.cpuUs()) - cpuUs) / tasks,
    tasksPerSecond: (tasks / (end.ms - start.ms)) * 1_000,
  };
  report.row(`20,000 tasks, capacity ${capacity}, ${slots} slots`, figures, {
    redisCommandsPerTask: atMost(30),
  });
  child.disconnect();
  redis.close();
  await app.close();
}
