import { setMaxListeners } from 'node:events';
import type { Delivery } from '../brokers/broker.js';
import { type Cancel, sleep } from '../clock.js';
import { Crowd } from '../crowd.js';
import { type Duration, milliseconds } from '../duration.js';
import { ConfigError, ShutdownError, TaskRevokedError } from '../errors.js';
import type { Locks } from '../locks/locks.js';
import type { App } from '../tasks/app.js';
import type { ActiveRun } from './active-run.js';
import { Answers, examine, type Health, type HealthOptions, warmUp } from './health.js';
import { Journal } from './journal.js';
import { warnOfLongTasks } from './long-tasks.js';
import { assemble, type WorkerParts } from './parts.js';
import { type WorkerOptions, type WorkerSettings, workerSettings } from './settings.js';
import type { Slots } from './slots.js';

/** Milliseconds between two rounds of tending: rooms that are stood in line for, and rooms that nobody tends. */
const tendEvery = 1_000;

/** As long as a stop waits for a start, or at its end for outcomes, that are on their way. In milliseconds. */
const lastWait = 5_000;

/** As many revoked ids as a worker remembers. */
const revokedRemembered = 1_000;

/** A worker for the app's tasks. It does nothing before `start()`. Throws `ConfigError` for what cannot be. */
export function createWorker(app: App, options: WorkerOptions = {}): Worker {
  return new Worker(app, workerSettings(app, options));
}

export class Worker {
  readonly settings: WorkerSettings;
  readonly #app: App;
  readonly #locks: Locks;
  readonly #journal: Journal;
  readonly #active = new Crowd<ActiveRun>();
  /** The last that were revoked: they may be in hand, waiting for their limits. */
  readonly #revokedLately = new Set<string>();
  readonly #leaving = new AbortController();
  #parts: WorkerParts | undefined;
  #serving: readonly string[] | undefined;
  #tending: Cancel | undefined;
  readonly #answers = new Answers();
  #state: Health['state'] = 'new';
  #alive: NodeJS.Timeout | undefined;
  #started: Promise<void> | undefined;
  #stopped: Promise<void> | undefined;
  readonly #now = new AbortController();
  /** Resolves when it has stopped. */
  readonly #over: Promise<void>;
  #isOver!: () => void;

  /** @internal Use `createWorker`. */
  constructor(app: App, settings: WorkerSettings) {
    this.settings = settings;
    this.#app = app;
    this.#locks = app.locks.fork();
    this.#journal = new Journal(app);
    // Every doorman listens.
    setMaxListeners(0, this.#leaving.signal);
    this.#over = new Promise((isOver) => {
      this.#isOver = isOver;
    });
  }

  /** Starts fetching. Resolves when the broker serves it. */
  async start(): Promise<void> {
    if (this.#stopped) throw new ConfigError('The worker was stopped: create another one');
    this.#started ??= this.#start();
    await this.#started;
  }

  /**
   * Leaves the lines, fetches nothing more, lets what runs go on for `drain` (permits are renewed the while), then tells
   * it to stop, puts back what has not ended without using an attempt, and gives all permits back. Always resolves. A
   * second call, or `drain: 0`, cuts the waiting short.
   */
  stop(options: { drain?: Duration } = {}): Promise<void> {
    const drain = options.drain === undefined ? this.settings.drain : milliseconds(options.drain, 'drain');
    if (this.#stopped) this.#now.abort();
    else this.#state = 'stopping';
    this.#stopped ??= this.#stop(drain);
    return this.#stopped;
  }

  /**
   * Starts, and stops at the first of these signals; at the second it stops at once. Resolves when it has stopped.
   * Default: SIGTERM and SIGINT.
   */
  async run(options: { signals?: readonly NodeJS.Signals[] } = {}): Promise<void> {
    const signals = options.signals ?? ['SIGTERM', 'SIGINT'];
    const onSignal = () => void this.stop();
    for (const signal of signals) process.on(signal, onSignal);
    try {
      await Promise.race([this.start(), this.#over]);
      await this.#over;
    } finally {
      for (const signal of signals) process.off(signal, onSignal);
    }
  }

  async #start(): Promise<void> {
    void this.#over.then(this.#app.use(() => this.#stopped ?? this.stop()));
    this.#alive = setInterval(() => {}, 2 ** 31 - 1);
    try {
      await this.#fetch();
    } catch (error) {
      // A stop that came meanwhile sees to the end, and is no failure of the start.
      if (this.#stopped) return;
      await this.#end(0);
      throw error;
    }
  }

  async #fetch(): Promise<void> {
    const early: Delivery[] = [];
    const { concurrency, lease } = this.settings;
    warnOfLongTasks(this.#app);
    this.#journal.prepare();
    if (hasLimits(this.#app)) void warmUp(this.#locks);
    this.#serving = this.queues;
    const consumer = await this.#app.broker.consume(this.#serving, {
      concurrency,
      lease,
      onDelivery: (delivery) => (this.#parts ? this.#parts.slots.start(delivery) : early.push(delivery)),
      onIdle: () => this.#parts?.onIdle(),
      onRoom: (room) => this.#parts?.doormen.heard(room),
      onRevoked: (id) => this.#revoked(id),
      onError: (error) => this.#journal.error(error),
    });
    if (this.#leaving.signal.aborted) {
      // First, so that nothing is fetched here again that is put back.
      await this.#attempt(consumer.stop());
      // What cannot be put back now comes back with the consumer's end, as a loss.
      await Promise.allSettled(
        early.map((delivery) => delivery.settle({ kind: 'again', message: delivery.message, after: 0 })),
      );
      await consumer.close();
      throw this.#leaving.signal.reason;
    }
    this.#parts = assemble({
      app: this.#app,
      settings: this.settings,
      locks: this.#locks,
      journal: this.#journal,
      consumer,
      active: this.#active,
      leaving: this.#leaving.signal,
      isRevoked: (id) => this.#revokedLately.size > 0 && this.#revokedLately.has(id),
    });
    for (const delivery of early) this.#parts.slots.start(delivery);
    for (const room of await consumer.rooms()) this.#parts.doormen.heard(room);
    if (!this.#stopped) this.#state = 'running';
    this.#tend();
  }

  #tend(): void {
    if (this.#leaving.signal.aborted) return;
    this.#tending = this.#app.clock.after(tendEvery, () => void this.#tendNow().finally(() => this.#tend()));
  }

  async #tendNow(): Promise<void> {
    const { consumer, doormen } = this.#parts ?? {};
    if (!consumer || !doormen) return;
    try {
      const { tended } = doormen;
      if (tended.length > 0) await consumer.attend(tended);
      for (const room of await consumer.orphans()) doormen.heard(room);
      await doormen.dismiss();
    } catch (error) {
      this.#journal.error(error);
    }
  }

  #revoked(id: string): void {
    for (const { delivery, context } of this.#active) {
      if (delivery.message.id === id) context.stop(new TaskRevokedError(id));
    }
    this.#parts?.admission.call(id);
    this.#revokedLately.add(id);
    if (this.#revokedLately.size > revokedRemembered)
      this.#revokedLately.delete([...this.#revokedLately][0] as string);
  }

  async #stop(drain: number): Promise<void> {
    const started = this.#started?.catch(() => {});
    await Promise.race([started, sleep(this.#app.clock, lastWait)]);
    await this.#end(drain);
  }

  async #end(drain: number): Promise<void> {
    this.#state = 'stopping';
    this.#leaving.abort(new ShutdownError());
    this.#tending?.();
    const { consumer, slots, places } = this.#parts ?? {};
    places?.close();
    // Each step for itself: a broker that fails must not take their permits from bodies that still run.
    await this.#attempt(consumer?.stop());
    if (slots) await this.#drain(slots, drain);
    await this.#attempt(consumer?.close());
    slots?.kill();
    await this.#locks.close();
    clearInterval(this.#alive);
    this.#state = 'stopped';
    this.#isOver();
  }

  async #attempt(step: Promise<void> | undefined): Promise<void> {
    try {
      await Promise.race([step, sleep(this.#app.clock, lastWait)]);
    } catch (error) {
      this.#journal.error(error);
    }
  }

  /** Waits, tells to stop, waits, gives up: each step only if the one before did not free the slots. */
  async #drain(slots: Slots, drain: number): Promise<void> {
    const free = slots.allFree();
    if (await this.#within(free, drain)) return;
    for (const run of this.#active) run.shutDown();
    if (await this.#within(free, this.settings.abortGrace)) return;
    for (const run of this.#active) run.abandon(new ShutdownError());
    // What else keeps a slot waits for a server that does not answer; its delivery comes back with the consumer's end.
    await Promise.race([free, sleep(this.#app.clock, lastWait)]);
  }

  /** Whether it came within so many milliseconds. */
  async #within(free: Promise<void>, ms: number): Promise<boolean> {
    const over = new AbortController();
    const { signal } = this.#now;
    const cut = () => over.abort();
    if (signal.aborted) cut();
    signal.addEventListener('abort', cut, { once: true });
    const late = sleep(this.#app.clock, ms, { signal: over.signal }).then(
      () => false,
      () => false,
    );
    const came = await Promise.race([free.then(() => true), late]);
    signal.removeEventListener('abort', cut);
    cut();
    return came;
  }

  /** The queues it serves, in turn. */
  get queues(): readonly string[] {
    return this.#serving ?? this.settings.queues ?? this.#app.queues;
  }

  /** Whether it fetches: not before it has started, nor from when it was told to stop. */
  get state(): Health['state'] {
    return this.#state;
  }

  /** Bodies that run now. */
  get running(): number {
    return this.#active.size;
  }

  /**
   * Whether it fetches, and its broker and coordinators answer; what it runs, and since when. Never rejects but for wrong
   * options, and takes no longer than the deadline of a call to a coordinator.
   */
  health(options: HealthOptions = {}): Promise<Health> {
    return examine(
      {
        state: this.#state,
        clock: this.#app.clock,
        locks: this.#locks,
        broker: this.#app.broker,
        consumer: this.#parts?.consumer,
        queues: this.queues,
        slots: this.settings.concurrency,
        busy: Math.min(this.#parts?.slots.busy ?? 0, this.settings.concurrency),
        active: this.#active,
        answers: this.#answers,
      },
      options,
    );
  }

  /** @internal For tests: as if its process were killed. Nothing is given back, nothing is settled. */
  async crash(): Promise<void> {
    this.#leaving.abort(new ShutdownError());
    this.#tending?.();
    this.#locks.kill();
    this.#parts?.slots.kill();
    this.#parts?.places.close();
    clearInterval(this.#alive);
    await (this.#parts?.consumer as { vanish?: () => unknown } | undefined)?.vanish?.();
    this.#stopped = Promise.resolve();
    this.#isOver();
  }
}

function hasLimits({ tasks }: App): boolean {
  return [...tasks.values()].some(({ limits }) => limits.length > 0);
}
