import { createApp, createWorker, currentTask, locked, memoryBroker, memoryCoordinator } from 'lockkeeper';
import { ManualClock } from 'lockkeeper/testing';
import { expect, it } from 'vitest';
import { settle } from '../../src/testing/manual-clock.js';
import { gate, manualApp, record } from './support.js';

function brokerWith(clock: ManualClock, change: (consumer: any, options: any) => void) {
  const broker = memoryBroker({ clock });
  const consume = broker.consume.bind(broker);
  (broker as any).consume = async (queues: any, options: any) => {
    const consumer: any = await consume(queues, options);
    change(consumer, options);
    return consumer;
  };
  return broker;
}

it('a body does not start under a permit that was lost while the next was waited for', async () => {
  const { app, clock, work } = manualApp({ resources: { a: { capacity: 1 }, b: { capacity: 1 } } });
  const g = gate();
  let heldAtStart: boolean[] = [];
  let _aborted: boolean | undefined;
  const t = app.task(
    't',
    { limits: [locked('a', { onBusy: 'wait' }), locked('b', { onBusy: 'wait' })] },
    async () => {
      heldAtStart = currentTask().permits.map((p) => p.held);
      _aborted = currentTask().signal.aborted;
      await g.body();
    },
  );
  const blocker = await app.locks.acquire('b', { maxHold: false });
  await work();
  await t.delay();
  await settle();
  const { holders } = await app.locks.inspect('a');
  expect(holders.length).toBe(1);
  await app.locks.evict('a', holders[0]!.id);
  await clock.advance('8s');
  const other = await app.locks.tryAcquire('a');
  expect(other).toBeDefined();
  await blocker.release();
  await settle();
  const _now = await app.locks.inspect('a');
  await g.open();
  await other!.release();
  expect(g.started === 0 || heldAtStart.every(Boolean)).toBe(true);
});

it('stop() with a broker that fails in stop() keeps the permits of what runs', async () => {
  const clock = new ManualClock();
  const coordinator = memoryCoordinator({ clock });
  const broker = brokerWith(clock, (c) => {
    c.stop = async () => {
      throw new Error('the broker is away');
    };
  });
  const app = createApp({ clock, coordinator, broker });
  let running = 0;
  let _aborted: boolean | undefined;
  let end!: () => void;
  let _p: any;
  const t = app.task('t', locked('r'), async () => {
    _p = currentTask().permits[0];
    const { signal } = currentTask();
    running++;
    await new Promise<void>((r) => (end = r));
    _aborted = signal.aborted;
    running--;
  });
  const w = createWorker(app);
  await w.start();
  await t.delay();
  await settle();
  expect(running).toBe(1);
  const stopped = w.stop();
  await settle();
  const other = await app.locks.tryAcquire('r');
  end();
  await settle();
  await stopped;
  expect(other).toBeUndefined();
});

it('a settle that fails once does not lose the slot and the message', async () => {
  const clock = new ManualClock();
  let failures = 0;
  const broker = brokerWith(clock, (_c, options) => {
    const receive = options.onDelivery;
    void receive;
  });
  const consume = broker.consume.bind(broker);
  (broker as any).consume = async (queues: any, options: any) =>
    consume(queues, {
      ...options,
      onDelivery: (d: any) => {
        const settleIt = d.settle.bind(d);
        d.settle = async (o: any) => {
          if (failures++ === 0) throw new Error('the broker is away');
          return settleIt(o);
        };
        options.onDelivery(d);
      },
    });
  const app = createApp({ clock, coordinator: memoryCoordinator({ clock }), broker });
  let runs = 0;
  const t = app.task('t', { retry: 3 }, async () => {
    runs++;
    if (runs === 1) throw new Error('once');
  });
  const w = createWorker(app, { concurrency: 1 });
  await w.start();
  const _call = await t.delay();
  await clock.advance('600s');
  const _second = await t.delay();
  await clock.advance('600s');
  expect(runs).toBeGreaterThan(1);
});

it('replay puts it back as new', async () => {
  const { app, clock, work } = manualApp({ resources: { r: { capacity: 2 } } });
  const _seen = record(app, 'task.failed', 'task.aside');
  let runs = 0;
  const t = app.task('t', locked('r', { weight: 2, maxWait: '1m' }), async () => void runs++);
  const blocker = await app.locks.acquire('r', { maxHold: false });
  await work();
  await t.delay();
  await settle(); // deferred
  await app.locks.setCapacity('r', 1);
  await clock.advance('10s');
  const [aside] = await app.broker.aside('default');
  await app.locks.setCapacity('r', undefined);
  await clock.advance('1h'); // the operator comes
  await app.broker.replay('default', aside!.id);
  await settle();
  await blocker.release();
  await clock.advance('10s');
  expect(runs).toBe(1);
});

it('a worker kept busy by its queues serves its starved rooms in turn', async () => {
  const clock = new ManualClock();
  const app = createApp({
    clock,
    coordinator: memoryCoordinator({ clock }),
    resources: { one: { capacity: 1000 }, two: { capacity: 1000 } },
  });
  const order: string[] = [];
  const body = (name: string) => async () => {
    order.push(`${name}`);
    await new Promise<void>((r) => clock.after(20, r));
  };
  const one = app.task('one', locked('one'), body('one'));
  const two = app.task('two', locked('two'), body('two'));
  let stop = false;
  const free = app.task('free', async () => {
    await new Promise<void>((r) => clock.after(20, r));
    if (!stop) void free.delay();
  });
  await app.locks.pause('one', '1h');
  await app.locks.pause('two', '1h');
  const w = createWorker(app, { concurrency: 2 });
  await w.start();
  await one.delayMany(Array.from({ length: 600 }, () => [] as any));
  await settle();
  await two.delayMany(Array.from({ length: 5 }, () => [] as any));
  await settle();
  expect((await app.broker.depth('default')).parked).toBe(605);
  await free.delayMany(Array.from({ length: 20 }, () => [] as any));
  await settle();
  await app.locks.resume('one');
  await app.locks.resume('two');
  await clock.advance('20s');
  const firstTwo = order.indexOf('two');
  stop = true;
  const c = app.close();
  await clock.advance('100s');
  await c;
  expect(firstTwo).toBeGreaterThanOrEqual(0);
});

it('maxHold counts the run, not the waiting for the next permit', async () => {
  const { app, clock, work } = manualApp({ resources: { a: { maxHold: '10s' }, b: {} } });
  const _seen = record(app, 'task.failed', 'task.done', 'task.retried');
  let abortedAtStart: any;
  const t = app.task(
    't',
    { limits: [locked('a', { onBusy: 'wait' }), locked('b', { onBusy: 'wait' })] },
    async () => {
      const { signal } = currentTask();
      await new Promise<void>((r) => {
        const c = clock.after(1_000, r);
        signal.addEventListener('abort', () => {
          abortedAtStart = [clock.now(), signal.reason.message];
          c();
          r();
        });
      });
      signal.throwIfAborted();
    },
  );
  const blocker = await app.locks.acquire('b', { maxHold: false });
  await work();
  await t.delay();
  await settle();
  await clock.advance('20s');
  await blocker.release();
  const _at = clock.now();
  await clock.advance('5s');
  expect(abortedAtStart).toBeUndefined();
});

it('every run of a revoked id is told', async () => {
  const { app, work } = manualApp();
  const aborted: number[] = [];
  let n = 0;
  const t = app.task('t', async () => {
    const k = n++;
    const { signal } = currentTask();
    await new Promise<void>((r) =>
      signal.addEventListener('abort', () => {
        aborted.push(k);
        r();
      }),
    );
  });
  await work();
  const call = await t.applyAsync([], { taskId: 'same' });
  await t.applyAsync([], { taskId: 'same' });
  await settle();
  expect(n).toBe(2);
  await call.revoke();
  await settle();
  expect(aborted.length).toBe(2);
});
