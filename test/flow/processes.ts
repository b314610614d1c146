import { afterEach, describe, expect, it } from 'vitest';
import { type App, createApp } from '../../src/index.js';
import { Crew, type WorkerSpec } from '../faults/support/crew.js';
import { Tally } from '../faults/support/tally.js';
import { until } from '../support/until.js';

/** A broker and a coordinator that processes share. */
export interface ProcessesHarness {
  readonly broker: () => string;
  /** Default: the broker's own. */
  readonly coordinator?: () => string;
  /** Milliseconds: the shortest lease that this pair bears. */
  readonly lease: number;
  /** How long after its lease the capacity of a dead worker may come free, in milliseconds. Default 0. */
  readonly later?: number;
  /** How far from publish order a start may be, where the broker keeps it in rooms; else it is not looked at. */
  readonly ordered: boolean;
}

/** For a machine that has other things to do: milliseconds by which anything may come late. */
const slack = 3_000;
/** Of each worker. */
const concurrency = 8;

/** What holds when the workers are processes of their own, which share nothing but their servers. */
export function processesSuite(name: string, harness: ProcessesHarness): void {
  describe(`tasks of worker processes on ${name}`, { timeout: 120_000 }, () => {
    const { lease } = harness;
    const crew = new Crew();
    const apps: App[] = [];

    afterEach(async () => {
      await crew.dismiss();
      await Promise.all(apps.splice(0).map((app) => app.close()));
    });

    /** Worker processes, and an app of this process, which sends and looks. */
    async function stage(workers: number, spec: Pick<WorkerSpec, 'takes' | 'capacity' | 'drain'>) {
      const tally = new Tally();
      const parts = { broker: harness.broker(), coordinator: harness.coordinator?.() };
      const resources = { [tally.queue]: { capacity: spec.capacity, lease } };
      const app = createApp({ ...parts, queue: tally.queue, resources });
      apps.push(app);
      const hire = (more: Partial<WorkerSpec> = {}) =>
        crew.hire({ ...parts, concurrency, lease, ...spec, ...more }, tally);
      const hired = await Promise.all(Array.from({ length: workers }, () => hire()));
      return { tally, app, hire, hired, resource: tally.queue };
    }

    const nothingIsHeld = (app: App, resource: string) =>
      until(async () => {
        const { holders, waiting } = await app.locks.inspect(resource);
        return holders.length + waiting.length === 0;
      }, lease + slack);

    it('never run more at once than their resource has capacity, and each runs once', async () => {
      const { tally, app, resource } = await stage(3, { takes: 5, capacity: 3 });
      await tally.publish(app.broker, 200);
      await tally.whole(app.broker);
      expect(tally.most).toBe(3);
      expect(tally.again).toBe(0);
      await nothingIsHeld(app, resource);
    });

    it('wait without using an attempt, and start in publish order', async () => {
      const { tally, app, resource } = await stage(2, { takes: 2, capacity: 1 });
      const blocker = await app.locks.acquire(resource);
      await tally.publish(app.broker, 60);
      await until(async () => {
        const { ready, running } = await app.broker.depth(tally.queue);
        return tally.deferrals >= 60 && ready + running === 0;
      });
      expect(tally.starts).toBe(0);

      await blocker.release();
      await tally.whole(app.broker);

      expect(tally.runs.filter(({ attempt, deferrals }) => attempt !== 1 || deferrals < 1)).toEqual([]);
      expect(tally.most).toBe(1);
      const order = [...tally.runs].sort((a, b) => a.from - b.from).map(({ index }) => index);
      if (harness.ordered) expect(order).toEqual([...order].sort((a, b) => a - b));
    });

    it('run elsewhere when their process is killed, whose capacity is free within a lease', async () => {
      const { tally, app, hired } = await stage(2, { takes: 30, capacity: 2 });
      await tally.publish(app.broker, 60);
      await until(() => tally.ended.size >= 10);
      const [victim] = [...hired].sort((a, b) => b.running.size - a.running.size);
      await victim!.kill();
      const killedAt = Number(process.hrtime.bigint()) / 1e6;
      await tally.whole(app.broker);

      expect(tally.most).toBe(2);
      expect(tally.again).toBeLessThanOrEqual(concurrency);
      const since = tally.runs.map(({ from }) => from).filter((from) => from > killedAt);
      const pauses = [killedAt, ...since.sort((a, b) => a - b)].map(
        (from, i, all) => (all[i + 1] ?? from) - from,
      );
      expect(Math.max(...pauses)).toBeLessThan(lease + (harness.later ?? 0) + slack);
    });

    it('are put back by one that is told to stop while they run and while they are deferred', async () => {
      const { tally, app, hired, hire, resource } = await stage(1, { takes: 60_000, capacity: 2, drain: 0 });
      const [first] = hired;
      await tally.publish(app.broker, 100);
      await until(() => tally.deferrals > 5 && first!.running.size === 2);
      const told = performance.now();
      expect(await first!.stop(), first!.errors).toBe(0);
      expect(performance.now() - told).toBeLessThan(5_000 + slack);
      await nothingIsHeld(app, resource);
      const { ready, delayed, parked, running } = await app.broker.depth(tally.queue);
      expect(ready + delayed + parked + running).toBe(100);

      const cut = tally.starts;
      await hire({ takes: 1 });
      await tally.whole(app.broker);
      expect(tally.starts).toBe(100 + cut);
      expect(tally.runs.filter(({ attempt }) => attempt !== 1)).toEqual([]);
    });
  });
}
