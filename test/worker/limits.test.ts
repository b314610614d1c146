import { limited, locked } from 'lockkeeper';
import { describe, expect, it } from 'vitest';
import { until } from '../support/until.js';
import { gate, manualApp, record } from './support.js';

describe('a busy resource', () => {
  it('never has more runs than its capacity, over two workers', async () => {
    const { app, work, settle } = manualApp({ resources: { storage: { capacity: 3 } } });
    const runs = gate();
    const save = app.task('save', locked('storage'), (_n: number) => runs.body());
    await work({ concurrency: 10 });
    await work({ concurrency: 10 });
    const calls = await save.delayMany(Array.from({ length: 40 }, (_, n) => [n] as [number]));
    await settle();
    expect(runs.running).toBe(3);

    while (runs.started < 40) await runs.open(1);
    await runs.open();
    await Promise.all(calls.map((call) => call.get()));
    expect(runs.most).toBe(3);
    expect(await app.broker.depth('default')).toMatchObject({ ready: 0, parked: 0, running: 0, delayed: 0 });
    expect((await app.locks.inspect('storage')).holders).toEqual([]);
  });

  it('lets its messages in by publish order', async () => {
    const { app, work, settle } = manualApp();
    const order: number[] = [];
    const runs = gate();
    const save = app.task('save', locked('one'), async (n: number) => {
      order.push(n);
      await runs.body();
    });
    await work({ concurrency: 4 });
    await save.delayMany(Array.from({ length: 100 }, (_, n) => [n] as [number]));
    await settle();
    while (order.length < 100) await runs.open(1);
    await runs.open();
    expect(order).toEqual(Array.from({ length: 100 }, (_, n) => n));
  });

  it('costs a task two deliveries and no attempt', async () => {
    const { app, work, settle } = manualApp({ resources: { storage: { capacity: 2 } } });
    const runs = gate();
    const attempts: number[] = [];
    const deferred = record(app, 'task.deferred');
    app.on('task.started', ({ attempt }) => attempts.push(attempt));
    const save = app.task('save', locked('storage'), () => runs.body());
    await work({ concurrency: 5 });
    await save.delayMany(Array.from({ length: 50 }, () => [] as []));
    await settle();
    while (runs.started < 50) await runs.open(2);
    await runs.open();
    expect(deferred.length).toBeLessThanOrEqual(50);
    expect(new Set(attempts)).toEqual(new Set([1]));
  });

  it('does not hold up what needs something else', async () => {
    const { app, work } = manualApp();
    const runs = gate();
    let free = false;
    const guarded = app.task('guarded', locked('one'), () => runs.body());
    const other = app.task('other', async () => {
      free = true;
    });
    await work({ concurrency: 4 });
    await guarded.delayMany(Array.from({ length: 10_000 }, () => [] as []));
    await other.delay();
    await until(() => free);
    expect(runs.running).toBe(1);
    await app.broker.purge('default');
    await runs.open();
  });

  it('uses a capacity that was raised at once', async () => {
    const { app, work, settle } = manualApp({ resources: { storage: { capacity: 5 } } });
    const runs = gate();
    const save = app.task('save', locked('storage'), () => runs.body());
    await work({ concurrency: 20 });
    await save.delayMany(Array.from({ length: 30 }, () => [] as []));
    await settle();
    expect(runs.running).toBe(5);

    await app.locks.setCapacity('storage', 10);
    await settle();
    expect(runs.running).toBe(10);
    while (runs.started < 30) await runs.open(5);
    await runs.open();
    expect(runs.most).toBe(10);
  });

  it('has its permits given back one after the other, none later than a second after its grant', async () => {
    const { app, clock, work, settle } = manualApp({ resources: { storage: { capacity: 10 } } });
    const started = record(app, 'task.started');
    const runs = gate();
    const save = app.task('save', locked('storage'), () => runs.body());
    await work({ concurrency: 20 });
    await save.delayMany(Array.from({ length: 250 }, () => [] as []));
    await settle();

    const fromLine: number[] = [];
    for (let at = 50; at <= 1_000; at += 50) {
      await clock.advance('50ms');
      const before = started.length;
      await runs.open(10);
      fromLine.push(started.slice(before).filter(({ handedOn }) => !handedOn).length);
    }

    expect(fromLine.findIndex((count) => count > 0)).toBeGreaterThanOrEqual(13);
    expect(fromLine.filter((count) => count > 0).length).toBeGreaterThan(1);
    expect(fromLine.reduce((sum, count) => sum + count)).toBeGreaterThanOrEqual(10);
    expect(runs.most).toBe(10);
    await app.broker.purge('default');
    await runs.open();
  });

  it('is in full use again within one lease when a worker dies with half of it', async () => {
    const { app, work, settle, clock } = manualApp({ resources: { storage: { capacity: 10 } } });
    const ends: (() => void)[] = [];
    const save = app.task('save', locked('storage'), async () => {
      await new Promise<void>((resolve) => ends.push(resolve));
    });
    await work({ concurrency: 10 });
    const doomed = await work({ concurrency: 5 });
    await save.delayMany(Array.from({ length: 500 }, () => [] as []));
    await settle();
    const held = () => app.locks.inspect('storage').then(({ holders }) => holders);
    expect(await held()).toHaveLength(10);
    expect(doomed.running).toBeGreaterThan(0);

    await doomed.crash();
    await clock.advance('15s');
    const owners = new Set((await held()).map(({ owner }) => owner));
    expect(await held()).toHaveLength(10);
    expect(owners.size).toBe(1);
    await app.broker.purge('default');
    for (const end of ends) end();
    await settle();
  });
});

describe('a rate', () => {
  it('books the next free start, and takes two deliveries', async () => {
    const { app, work, clock, settle } = manualApp({ resources: { sms: { rate: '6/m' } } });
    const started: number[] = [];
    const deferred = record(app, 'task.deferred');
    const send = app.task('send', limited('sms'), async () => {
      started.push(clock.now());
    });
    await work();
    await send.delayMany(Array.from({ length: 5 }, () => [] as []));
    await settle();
    for (let i = 0; i < 60; i++) await clock.advance('1s');
    expect(started).toEqual([0, 10_000, 20_000, 30_000, 40_000]);
    expect(deferred.map(({ after }) => after)).toEqual([10_000, 20_000, 30_000, 40_000]);
  });

  it('owes nothing for starts that were missed', async () => {
    const { app, work, clock } = manualApp({ resources: { sms: { rate: '1/s', burst: 3 } } });
    const started: number[] = [];
    const send = app.task('send', limited('sms'), async () => {
      started.push(clock.now());
    });
    const first = await work();
    await send.delayMany(Array.from({ length: 200 }, () => [] as []));
    await clock.advance('2s');
    void first.stop();
    await clock.advance('50s');
    await work();
    await clock.advance('400s');
    expect(started).toHaveLength(200);
    for (const at of started) {
      const inWindow = started.filter((other) => other >= at && other < at + 10_000).length;
      expect(inWindow).toBeLessThanOrEqual(10 + 3);
    }
  });
});

describe('workers that come back', () => {
  it('start what is parked within one countdown', async () => {
    const { app, work, clock, settle } = manualApp();
    const runs = gate();
    const save = app.task('save', locked('one', { countdown: '5s' }), () => runs.body());
    const first = await work({ concurrency: 2 });
    const second = await work({ concurrency: 2 });
    await save.delayMany(Array.from({ length: 1_000 }, () => [] as []));
    await settle();
    const stops = [first.stop({ drain: 0 }), second.stop({ drain: 0 })];
    await clock.advance('6s');
    await Promise.all(stops);
    const before = runs.started;
    await work({ concurrency: 2 });
    await clock.advance('5s');
    expect(runs.started).toBe(before + 1);
    await app.broker.purge('default');
    await runs.open();
  });
});
