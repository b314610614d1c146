import type { Duration } from '../duration.js';
import { type App, type AppOptions, createApp } from '../tasks/app.js';
import type { DeferralReason } from '../tasks/events.js';
import type { TaskResult } from '../tasks/result.js';
import type { WorkerOptions } from '../worker/settings.js';
import { createWorker, type Worker } from '../worker/worker.js';
import { ManualClock, settle } from './manual-clock.js';

export type TestAppOptions = Omit<AppOptions, 'clock'> & { worker?: WorkerOptions };

/** One time that a call was put off. */
export interface PutOff {
  readonly resource: string;
  readonly reason: DeferralReason;
  /** Milliseconds, where it is known beforehand: of a booked start. */
  readonly after?: number;
}

/**
 * An app in memory with one worker and a clock that stands still. Nothing runs before `drain()`.
 *
 *     const test = createTestApp({ resources: { sms: { rate: '3/m' } } });
 *     const send = test.app.task('send', limited('sms'), async (to: string) => { … });
 *     const calls = await send.delayMany([['a'], ['b']]);
 *     await test.drain();
 *     expect(test.putOff(calls[1])).toBe(20_000);
 *     await test.advance('20s');
 */
export function createTestApp(options: TestAppOptions = {}): TestApp {
  return new TestApp(options);
}

/** Bodies that do real work are waited for until nothing has happened for so long, in real milliseconds. */
const silence = 250;

export class TestApp {
  readonly app: App;
  readonly clock = new ManualClock();
  readonly #workerOptions: WorkerOptions;
  readonly #putOffs = new Map<string, { at: number; all: PutOff[]; startedAt?: number }>();
  readonly #runs = new Map<string, number>();
  readonly #workers = new Set<Worker>();
  #worker: Worker | undefined;
  #happened = 0;

  /** @internal Use `createTestApp`. */
  constructor({ worker = {}, ...options }: TestAppOptions) {
    this.#workerOptions = worker;
    this.app = createApp({ ...options, clock: this.clock });
    this.#listen();
  }

  /** Runs all that can run without time passing. */
  async drain(): Promise<void> {
    if (!this.#worker) {
      this.#worker = await this.startWorker(this.#workerOptions);
    }
    await this.#quiet();
  }

  /** Lets time pass, and runs what comes due. */
  async advance(duration: Duration): Promise<void> {
    await this.drain();
    await this.clock.advance(duration);
    await this.#quiet();
  }

  /** How often the call's body was started. */
  runs(call: Pick<TaskResult, 'id'>): number {
    return this.#runs.get(call.id) ?? 0;
  }

  /** Every time the call was put off since it last ran, in order. */
  putOffs(call: Pick<TaskResult, 'id'>): readonly PutOff[] {
    return this.#putOffs.get(call.id)?.all ?? [];
  }

  /**
   * Milliseconds that the call was put off: until it started, or if it has not, until the start that is booked for it, or
   * until now. 0 when it was not.
   */
  putOff(call: Pick<TaskResult, 'id'>): number {
    const put = this.#putOffs.get(call.id);
    if (!put) return 0;
    if (put.startedAt !== undefined) return put.startedAt - put.at;
    const booked = put.all.at(-1)?.after;
    return booked ?? this.clock.now() - put.at;
  }

  /** Another worker of the same app, as another process would run one. */
  async startWorker(options: WorkerOptions = {}): Promise<Worker> {
    const worker = createWorker(this.app, options);
    this.#workers.add(worker);
    await worker.start();
    return worker;
  }

  /** As if the worker's process were killed: nothing is settled or given back. Its leases end as time passes. */
  async crash(worker: Worker): Promise<void> {
    await worker.crash();
    this.#workers.delete(worker);
    if (worker === this.#worker) this.#worker = undefined;
  }

  async close(): Promise<void> {
    await this.app.close();
  }

  #listen(): void {
    const { app, clock } = this;
    app.on('task.deferred', ({ id, resource, reason, after }) => {
      this.#happened++;
      const known = this.#putOffs.get(id);
      const put = known && known.startedAt === undefined ? known : { at: clock.now(), all: [] };
      put.all.push({ resource, reason, after });
      this.#putOffs.set(id, put);
    });
    app.on('task.started', ({ id }) => {
      this.#happened++;
      this.#runs.set(id, (this.#runs.get(id) ?? 0) + 1);
      const put = this.#putOffs.get(id);
      if (put) put.startedAt ??= clock.now();
    });
  }

  async #quiet(): Promise<void> {
    await settle();
    let seen = -1;
    let quietSince = Date.now();
    while ((await this.#atWork()) && Date.now() - quietSince < silence) {
      if (seen !== this.#happened) quietSince = Date.now();
      seen = this.#happened;
      await new Promise((resolve) => setTimeout(resolve, 1));
      await settle();
    }
  }

  /** Whether a body runs, or a message is on its way to one. */
  async #atWork(): Promise<boolean> {
    for (const worker of this.#workers) if (worker.running > 0) return true;
    for (const queue of this.app.queues) if ((await this.app.broker.depth(queue)).ready > 0) return true;
    return false;
  }
}
