import { createWorker, currentTask, limited, locked, type ResourceOptions, type Worker } from 'lockkeeper';
import { afterEach, describe, expect, it } from 'vitest';
import { chain } from '../../src/locks/local-line.js';
import type { App } from '../../src/tasks/app.js';
import { until } from '../support/until.js';

/** One broker with one coordinator, for tasks from their call to their result. Everything runs in real time. */
export interface FlowHarness {
  /** An app of its own on the same servers, as another process has. Queue and resources are fresh for each test. */
  app(options: { queue: string; resources: Record<string, ResourceOptions> }): Promise<App>;
  /** As if the worker's process were killed. */
  crash(worker: Worker): Promise<void>;
  /** Milliseconds: the shortest lease that this pair bears. */
  lease: number;
  /** Whether the coordinator keeps rates. */
  rate: boolean;
}

/** What holds for every broker with every coordinator, end to end. */
export function flowSuite(name: string, harness: FlowHarness): void {
  describe(`tasks on ${name}`, () => {
    const apps: App[] = [];
    let count = 0;

    afterEach(async () => {
      await Promise.all(apps.splice(0).map((app) => app.close()));
    });

    /** Two processes with the same tasks. */
    async function stage<T>(
      resources: (resource: string) => Record<string, ResourceOptions>,
      define: (app: App, resource: string) => T,
    ) {
      const id = `${process.pid}-${Date.now()}-${count++}`;
      const make = async () => {
        const app = await harness.app({ queue: `flow-${id}`, resources: resources(`res-${id}`) });
        apps.push(app);
        const worker = createWorker(app, {
          concurrency: 8,
          lease: harness.lease,
          drain: 200,
          abortGrace: 200,
        });
        return { app, worker, tasks: define(app, `res-${id}`) };
      };
      const [one, two] = [await make(), await make()];
      await Promise.all([one.worker.start(), two.worker.start()]);
      return { one, two, resource: `res-${id}` };
    }

    it('never run more at once than their resource has capacity, and all of them run', async () => {
      const runs = counter();
      const { one } = await stage(
        (resource) => ({ [resource]: { capacity: 3, lease: harness.lease } }),
        (app, resource) =>
          app.task('work', locked(resource), async (n: number) => {
            await runs.during(5);
            return n * n;
          }),
      );
      const calls = await one.tasks.delayMany(Array.from({ length: 60 }, (_, n) => [n] as [number]));
      const values = await Promise.all(calls.map((call) => call.get({ timeout: '30s' })));
      expect(values).toEqual(Array.from({ length: 60 }, (_, n) => n * n));
      expect(runs.most).toBeLessThanOrEqual(3);
    });

    it('are deferred without using an attempt', async () => {
      const attempts: number[] = [];
      const { one, resource } = await stage(
        (name) => ({ [name]: { lease: harness.lease } }),
        (app, name) =>
          app.task('work', locked(name), async () => {
            attempts.push(currentTask().attempt);
            return currentTask().deferrals;
          }),
      );
      const blocker = await one.app.locks.acquire(resource);
      const calls = await one.tasks.delayMany(Array.from({ length: 10 }, () => [] as []));
      await until(async () => {
        const { ready, running } = await one.app.broker.depth(one.app.queues[0]!);
        return ready + running === 0;
      });
      expect(attempts).toEqual([]);
      await blocker.release();
      const deferrals = await Promise.all(calls.map((call) => call.get({ timeout: '30s' })));
      expect(Math.min(...deferrals)).toBeGreaterThanOrEqual(1);
      expect(new Set(attempts)).toEqual(new Set([1]));
    });

    it('start in publish order on a mutex, but for what was in flight when it became busy', async () => {
      const order: number[] = [];
      const { one, two } = await stage(
        (resource) => ({ [resource]: { lease: harness.lease } }),
        (app, resource) =>
          app.task('work', locked(resource), async (n: number) => {
            order.push(n);
            await pause(5);
          }),
      );
      const calls = await one.tasks.delayMany(Array.from({ length: 80 }, (_, n) => [n] as [number]));
      await Promise.all(calls.map((call) => call.get({ timeout: '30s' })));
      const shift = Math.max(...order.map((n, place) => Math.abs(n - place)));
      // One grant serves its worker's next messages while those of the other are on their way into the room.
      const slots = one.worker.settings.concurrency + two.worker.settings.concurrency;
      expect(shift).toBeLessThanOrEqual(slots + chain.runs);
    });

    it('of a worker that died run again, and its capacity is free within one lease', async () => {
      const runs = counter();
      const started: number[] = [];
      const { one, two } = await stage(
        (resource) => ({ [resource]: { capacity: 4, lease: harness.lease } }),
        (app, resource) =>
          app.task('work', locked(resource, { lease: harness.lease }), async (n: number) => {
            started.push(n);
            await runs.during(20);
            return n;
          }),
      );
      const calls = await one.tasks.delayMany(Array.from({ length: 100 }, (_, n) => [n] as [number]));
      await until(() => started.length > 10);
      // A worker may well have all of the capacity: it hands its permits on.
      const { worker } = one.worker.running > two.worker.running ? one : two;
      await harness.crash(worker);
      const values = await Promise.all(calls.map((call) => call.get({ timeout: '60s' })));
      expect(values).toHaveLength(100);
      expect(started.length).toBeLessThanOrEqual(100 + worker.settings.concurrency);
    });

    it('that a stopping worker puts back run elsewhere, on the same attempt', async () => {
      const attempts: number[] = [];
      let goOn!: () => void;
      const goingOn = new Promise<void>((resolve) => {
        goOn = resolve;
      });
      const { one, two } = await stage(
        (resource) => ({ [resource]: { capacity: 16, lease: harness.lease } }),
        (app, resource) =>
          app.task('work', locked(resource), async () => {
            const { attempt, signal } = currentTask();
            attempts.push(attempt);
            const stopped = new Promise<never>((_, reject) =>
              signal.addEventListener('abort', () => reject(signal.reason)),
            );
            await Promise.race([goingOn, stopped]);
          }),
      );
      // More than either has slots for.
      const calls = await one.tasks.delayMany(Array.from({ length: 10 }, () => [] as []));
      await until(() => attempts.length === 10);
      const here = two.worker.running;
      expect(here).toBeGreaterThan(0);
      await two.worker.stop();
      goOn();
      await Promise.all(calls.map((call) => call.get({ timeout: '30s' })));
      expect(attempts).toEqual(Array.from({ length: 10 + here }, () => 1));
    });

    it('that need several resources get them all, and leave none behind', async () => {
      const runs = counter();
      const { one, resource } = await stage(
        (name) => ({ [`${name}-a`]: { lease: harness.lease }, [`${name}-b`]: { lease: harness.lease } }),
        (app, name) => ({
          a: app.task('a', locked(`${name}-a`), () => pause(2)),
          b: app.task('b', locked(`${name}-b`), () => pause(2)),
          both: app.task('both', { limits: [locked(`${name}-b`), locked(`${name}-a`)] }, () =>
            runs.during(2),
          ),
        }),
      );
      const calls = [
        ...(await one.tasks.a.delayMany(Array.from({ length: 30 }, () => [] as []))),
        ...(await one.tasks.both.delayMany(Array.from({ length: 10 }, () => [] as []))),
        ...(await one.tasks.b.delayMany(Array.from({ length: 30 }, () => [] as []))),
      ];
      await Promise.all(calls.map((call) => call.get({ timeout: '60s' })));
      expect(runs.most).toBe(1);
      await until(async () => {
        const states = await Promise.all(
          ['a', 'b'].map((part) => one.app.locks.inspect(`${resource}-${part}`)),
        );
        return states.every(({ holders, waiting }) => holders.length + waiting.length === 0);
      });
    });

    it('fail with the error that was thrown, after their attempts', async () => {
      const { one } = await stage(
        () => ({}),
        (app) =>
          app.task('work', { retry: { max: 2, delay: 10 } }, async () => {
            throw new RangeError(`attempt ${currentTask().attempt}`);
          }),
      );
      const call = await one.tasks.delay();
      await expect(call.get({ timeout: '20s' })).rejects.toThrow(new RangeError('attempt 3'));
    });

    it.runIf(harness.rate)('start no faster than their rate', async () => {
      const starts: number[] = [];
      const { one } = await stage(
        (resource) => ({ [resource]: { rate: '50/s', burst: 5 } }),
        (app, resource) =>
          app.task('work', limited(resource), async () => {
            starts.push(performance.now());
          }),
      );
      const calls = await one.tasks.delayMany(Array.from({ length: 40 }, () => [] as []));
      await Promise.all(calls.map((call) => call.get({ timeout: '30s' })));
      // 5 at once and one every 20 ms after that, less what timers and the late rule may take off.
      expect(starts.at(-1)! - starts[0]!).toBeGreaterThan((40 - 5) * 20 * 0.8);
    });
  });
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Counts those that are between two moments. */
function counter() {
  const state = {
    now: 0,
    most: 0,
    async during(ms: number): Promise<void> {
      state.most = Math.max(state.most, ++state.now);
      await pause(ms);
      state.now--;
    },
  };
  return state;
}
