import { limited, locked } from 'lockkeeper';
import { describe, expect, it } from 'vitest';
import { until } from '../support/until.js';
import { gate, manualApp, record } from './support.js';

describe('several limits', () => {
  it('are taken all or none: one that is exhausted leaves the others as they were', async () => {
    const { app, work, clock, settle } = manualApp({
      resources: { a: { capacity: 5 }, full: {}, rate: { rate: '1000/s', burst: 5 } },
    });
    const blocker = await app.locks.acquire('full');
    const attempts: number[] = [];
    app.on('task.started', ({ attempt }) => attempts.push(attempt));
    const both = app.task('both', { limits: [locked('a'), locked('full'), limited('rate')] }, async () => {});
    await work({ concurrency: 10 });
    const before = (await app.locks.inspect('rate')).rate?.nextStart;
    await both.delayMany(Array.from({ length: 1_000 }, () => [] as []));
    await until(async () => (await app.broker.depth('default')).parked === 1_000);
    expect((await app.locks.inspect('a')).holders).toEqual([]);
    expect((await app.locks.inspect('rate')).rate?.nextStart ?? 0).toBe(before ?? 0);
    expect(attempts).toEqual([]);
    await blocker.release();
    for (let i = 0; i < 40; i++) await clock.advance('100ms');
    await until(() => attempts.length === 1_000);
    expect(new Set(attempts)).toEqual(new Set([1]));
    await settle();
  });

  it('charge no rate for a start that another rate puts off', async () => {
    const { app, work, settle } = manualApp({
      resources: { quick: { rate: '10/s', burst: 10 }, slow: { rate: '1/h' } },
    });
    const both = app.task('both', { limits: [limited('quick'), limited('slow')] }, async () => {});
    await work();
    await both.delayMany(Array.from({ length: 300 }, () => [] as []));
    await until(async () => (await app.broker.depth('default')).delayed === 299);
    await settle();
    expect((await app.locks.inspect('quick')).rate?.nextStart).toBe(0);
    await app.broker.purge('default');
  });

  it('of one task do not starve behind tasks that need one of them', async () => {
    const { app, work, clock } = manualApp();
    const ended = new Map<string, number>();
    let sent = 0;
    const waits = { pair: [] as number[], all: [] as number[] };
    let deliveries = 0;
    app.on('task.deferred', () => deliveries++);
    app.on('task.started', () => deliveries++);
    const body = (kind: 'pair' | 'single') => async () => {
      const waited = clock.now() - sent;
      waits.all.push(waited);
      if (kind === 'pair') waits.pair.push(waited);
      await new Promise<void>((resolve) => clock.after(5, resolve));
    };
    void ended;
    const a = app.task('a', locked('a'), body('single'));
    const b = app.task('b', locked('b'), body('single'));
    const pair = app.task('pair', { limits: [locked('b'), locked('a')] }, body('pair'));
    await work({ concurrency: 25 });
    await work({ concurrency: 25 });
    sent = clock.now();
    for (let i = 0; i < 100; i++) {
      await a.delayMany(Array.from({ length: 5 }, () => [] as []));
      await b.delayMany(Array.from({ length: 5 }, () => [] as []));
      await pair.delay();
    }
    for (let i = 0; i < 2_000 && waits.all.length < 1_100; i++) await clock.advance(20);
    expect(waits.all).toHaveLength(1_100);
    const median = waits.all.sort((x, y) => x - y)[550] ?? 0;
    expect(Math.max(...waits.pair)).toBeLessThan(20 * median);
    console.log({
      median,
      pairMax: Math.max(...waits.pair),
      deliveriesPerTask: deliveries / 1_100,
      end: clock.now() - sent,
    });
    expect(deliveries / 1_100).toBeLessThan(4);
  }, 60_000);

  it('of a task that needs the same as another are entered again inside its run at no cost', async () => {
    const { app, work, settle } = manualApp();
    const deferred = record(app, 'task.deferred');
    const inner = app.task('inner', locked('one'), async () => 'inner');
    const outer = app.task('outer', locked('one'), async () => `outer ${await inner()}`);
    await work();
    const call = await outer.delay();
    await settle();
    expect(await call.get()).toBe('outer inner');
    expect(deferred).toEqual([]);
  });
});

describe('a saturated worker', () => {
  it('starves no room behind a queue that never ends', async () => {
    const { app, work, settle, clock } = manualApp();
    const blocker = await app.locks.acquire('one');
    let guarded = 0;
    const runs = gate();
    const save = app.task('save', locked('one'), async () => {
      guarded++;
    });
    const noise = app.task('noise', () => runs.body());
    await save.delayMany(Array.from({ length: 20 }, () => [] as []));
    await work({ concurrency: 2 });
    await settle();
    await noise.delayMany(Array.from({ length: 2_000 }, () => [] as []));
    await settle();
    expect(runs.running).toBe(2);
    await blocker.release();
    for (let i = 0; i < 100 && guarded < 20; i++) {
      await clock.advance(50);
      await runs.open(1);
    }
    expect(guarded).toBe(20);
    expect(runs.started).toBeLessThan(200);
    await app.broker.purge('default');
    await runs.open();
  });

  it('lets other work in between, though a room could fill every slot', async () => {
    const { app, work, clock, settle } = manualApp({ resources: { pool: { capacity: 4 } } });
    const blocker = await app.locks.acquire('pool', { weight: 4 });
    const save = app.task('save', locked('pool'), async () => {
      await new Promise<void>((resolve) => clock.after(10, resolve));
    });
    let startedAt: number | undefined;
    const free = app.task('free', async () => {
      startedAt = clock.now();
    });
    await work({ concurrency: 4 });
    await save.delayMany(Array.from({ length: 10_000 }, () => [] as []));
    await until(async () => (await app.broker.depth('default')).parked === 10_000, 30_000);
    await blocker.release();
    await clock.advance(100);
    const publishedAt = clock.now();
    await free.delay();
    await clock.advance(1_000);
    expect((startedAt ?? Number.NaN) - publishedAt).toBeLessThanOrEqual(250);
    await app.broker.purge('default');
    await settle();
  });
});
