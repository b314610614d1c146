import {
  createApp,
  createWorker,
  currentTask,
  limited,
  locked,
  memoryBroker,
  memoryCoordinator,
  type Worker,
} from 'lockkeeper';
import { ManualClock } from 'lockkeeper/testing';
import type { Broker, Consumer } from '../../src/brokers/broker.js';
import type { App } from '../../src/tasks/app.js';
import { settle } from '../../src/testing/manual-clock.js';

/** What a random history is made of. Times are in milliseconds. */
export interface History {
  capacities: readonly number[];
  rate: { limit: number; burst: number };
  tasks: readonly {
    permits: readonly { resource: number; weight: number }[];
    rated: boolean;
    takes: number;
    fails: boolean;
  }[];
  workers: readonly number[];
  steps: readonly Step[];
}

export type Step =
  | { kind: 'publish'; task: number; count: number }
  | { kind: 'pass'; ms: number }
  | { kind: 'crash' | 'stop'; worker: number }
  | { kind: 'start'; concurrency: number }
  | { kind: 'capacity'; resource: number; capacity: number | undefined }
  | { kind: 'pause'; resource: number; ms: number }
  | { kind: 'evict'; resource: number };

const name = (resource: number) => `r${resource}`;

/** Plays a history on a clock that stands still, and looks at every invariant after each step. Throws what it finds. */
export async function play(history: History): Promise<{ runs: number; deliveries: number }> {
  const stage = new Stage(history);
  try {
    for (const concurrency of history.workers) await stage.start(concurrency);
    for (const step of history.steps) {
      await stage.act(step);
      await settle();
      await stage.check();
    }
    return await stage.finish();
  } finally {
    await stage.close();
  }
}

class Stage {
  readonly #history: History;
  readonly #clock = new ManualClock();
  readonly #broker: Broker & { consumers: Consumer[] };
  readonly #app: App;
  readonly #send: ((count: number) => Promise<unknown>)[];
  readonly #workers = new Set<Worker>();
  readonly #ended = new Map<string, number>();
  readonly #starts: number[] = [];
  readonly #highest: number[];
  readonly #errors: unknown[] = [];
  readonly #over: string[] = [];
  #published = 0;
  #runs = 0;
  #deliveries = 0;

  constructor(history: History) {
    this.#history = history;
    this.#highest = [...history.capacities];
    this.#broker = watched(memoryBroker({ clock: this.#clock }));
    const { limit, burst } = history.rate;
    this.#app = createApp({
      clock: this.#clock,
      broker: this.#broker,
      coordinator: memoryCoordinator({ clock: this.#clock }),
      resources: {
        ...Object.fromEntries(
          history.capacities.map((capacity, i) => [name(i), { capacity, lease: '3s' as const }]),
        ),
        rate: { rate: `${limit}/s`, burst },
      },
    });
    this.#send = history.tasks.map((_, i) => this.#task(i));
    this.#listen();
  }

  #task(index: number): (count: number) => Promise<unknown> {
    const { permits, rated, takes, fails } = this.#history.tasks[index]!;
    const limits = permits.map(({ resource, weight }) => locked(name(resource), { weight }));
    const all = rated ? [...limits, limited('rate')] : limits;
    const task = this.#app.task(
      `t${index}`,
      { limits: all, retry: { max: 1, delay: 100 }, maxLost: 100 },
      async () => {
        this.#runs++;
        if (rated) this.#starts.push(this.#clock.now());
        await this.#watchCapacity();
        await new Promise<void>((resolve) => this.#clock.after(takes, resolve));
        for (const permit of currentTask().permits) if (permit.held) permit.assertHeld();
        if (fails) throw new Error('as it should');
      },
    );
    return (count) => task.delayMany(Array.from({ length: count }, () => [] as []));
  }

  /** Every body that starts looks whether there are more holders than there ever was capacity for. */
  async #watchCapacity(): Promise<void> {
    for (const [i, highest] of this.#highest.entries()) {
      const { holders } = await this.#app.locks.inspect(name(i));
      const used = holders.reduce((sum, { weight }) => sum + weight, 0);
      if (used > highest) this.#over.push(`${name(i)}: ${used} of ${highest}`);
    }
  }

  #listen(): void {
    const app = this.#app;
    const end = ({ id }: { id: string }) => this.#ended.set(id, (this.#ended.get(id) ?? 0) + 1);
    for (const event of ['task.done', 'task.failed', 'task.aside', 'task.skipped', 'task.expired'] as const)
      app.on(event, end);
    app.on('task.started', ({ attempt }) => {
      this.#deliveries++;
      if (attempt > 2) this.#over.push(`attempt ${attempt} of 2`);
    });
    app.on('task.deferred', () => this.#deliveries++);
    app.on('worker.error', ({ error }) => this.#errors.push(error));
  }

  async start(concurrency: number): Promise<void> {
    const worker = createWorker(this.#app, { concurrency, drain: 500, abortGrace: 200, lease: '3s' });
    this.#workers.add(worker);
    await worker.start();
  }

  async act(step: Step): Promise<void> {
    const { locks } = this.#app;
    switch (step.kind) {
      case 'publish':
        this.#published += step.count;
        await this.#send[step.task % this.#send.length]!(step.count);
        return;
      case 'pass':
        return await this.#clock.advance(step.ms);
      case 'start':
        return await this.start(step.concurrency);
      case 'crash':
      case 'stop':
        return await this.#end(step.kind, step.worker);
      case 'capacity':
        return await this.#setCapacity(step.resource % this.#highest.length, step.capacity);
      case 'pause':
        return await locks.pause(name(step.resource % this.#highest.length), step.ms);
      case 'evict': {
        const resource = name(step.resource % this.#highest.length);
        const [holder] = (await locks.inspect(resource)).holders;
        if (holder) await locks.evict(resource, holder.id);
        return;
      }
    }
  }

  async #end(how: 'crash' | 'stop', index: number): Promise<void> {
    const worker = [...this.#workers][index % Math.max(1, this.#workers.size)];
    if (!worker) return;
    this.#workers.delete(worker);
    if (how === 'crash') return await worker.crash();
    const stopped = worker.stop();
    await this.#clock.advance(1_000);
    await stopped;
  }

  /** Nothing may be heavier than the capacity: such a message is set aside, which is tested elsewhere. */
  async #setCapacity(resource: number, wanted: number | undefined): Promise<void> {
    const weights = this.#history.tasks.flatMap(({ permits }) =>
      permits.filter((permit) => permit.resource === resource).map(({ weight }) => weight),
    );
    const capacity = wanted === undefined ? undefined : Math.max(wanted, ...weights);
    this.#highest[resource] = Math.max(this.#highest[resource]!, capacity ?? 0);
    await this.#app.locks.setCapacity(name(resource), capacity);
  }

  async check(): Promise<void> {
    if (this.#over.length > 0) throw new Error(this.#over[0]);
    if (this.#errors.length > 0) throw this.#errors[0];
    this.#checkRate();
    await this.#checkLines();
  }

  /** In no window more starts than the rate and its burst, and one for what was late. */
  #checkRate(): void {
    const { limit, burst } = this.#history.rate;
    for (const [i, from] of this.#starts.entries()) {
      for (const window of [1_000, 5_000]) {
        const until = from + window;
        let count = 0;
        for (let j = i; j < this.#starts.length && this.#starts[j]! < until; j++) count++;
        const most = (window / 1_000) * limit + burst + Math.max(1, limit / 10);
        if (count > most) throw new Error(`${count} starts in ${window} ms at ${limit}/s, burst ${burst}`);
      }
    }
  }

  /** Whatever is parked has somebody in line, if any worker has a slot to stand there with. */
  async #checkLines(): Promise<void> {
    const idle = this.#broker.consumers.some((consumer) => consumer.idle > 0);
    if (!idle || this.#workers.size === 0) return;
    for (const consumer of this.#broker.consumers) {
      if (consumer.idle === 0) continue;
      for (const { resource } of await consumer.rooms()) {
        const { waiting, holders } = await this.#app.locks.inspect(resource);
        if (waiting.length === 0) {
          throw new Error(
            `${resource} has a room with messages, ${holders.length} holders, and nobody in line`,
          );
        }
      }
      return;
    }
  }

  /** With a worker that lives, everything ends, and nothing is left. */
  async finish(): Promise<{ runs: number; deliveries: number }> {
    for (const i of this.#highest.keys()) {
      await this.#app.locks.setCapacity(name(i), undefined);
      await this.#app.locks.resume(name(i));
    }
    await this.start(4);
    for (let i = 0; i < 4_000 && !(await this.#isOver()); i++) await this.#clock.advance(250);
    await this.check();
    const depth = await this.#broker.depth('default');
    if (!(await this.#isOver())) throw new Error(`Not everything ended: ${JSON.stringify(depth)}`);
    if (this.#ended.size !== this.#published)
      throw new Error(`${this.#ended.size} of ${this.#published} ended`);
    await this.#clock.advance('10s');
    for (const i of this.#highest.keys()) {
      const { holders, waiting } = await this.#app.locks.inspect(name(i));
      if (holders.length + waiting.length > 0) throw new Error(`${name(i)} is left with holders or places`);
    }
    return { runs: this.#runs, deliveries: this.#deliveries };
  }

  async #isOver(): Promise<boolean> {
    const { ready, delayed, parked, running } = await this.#broker.depth('default');
    return ready + delayed + parked + running === 0;
  }

  async close(): Promise<void> {
    const closed = this.#app.close();
    for (let i = 0; i < 20; i++) await this.#clock.advance(500);
    await closed;
  }
}

/** The broker, with the consumers that are served now. */
function watched(broker: Broker): Broker & { consumers: Consumer[] } {
  const consumers: Consumer[] = [];
  const consume = broker.consume.bind(broker);
  return Object.assign(broker, {
    consumers,
    consume: async (...given: Parameters<Broker['consume']>) => {
      const consumer = await consume(...given);
      consumers.push(consumer);
      const { stop, close } = consumer;
      const going = (go: () => unknown) => () => {
        const at = consumers.indexOf(consumer);
        if (at >= 0) consumers.splice(at, 1);
        return go();
      };
      const vanish = (consumer as unknown as { vanish: () => unknown }).vanish.bind(consumer);
      return Object.assign(consumer, {
        stop: going(() => stop.call(consumer)),
        close: going(() => close.call(consumer)),
        vanish: going(vanish),
      });
    },
  });
}
