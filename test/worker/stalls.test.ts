import {
  createApp,
  createWorker,
  limited,
  locked,
  memoryBroker,
  memoryCoordinator,
  memoryResults,
} from 'lockkeeper';
import { ManualClock } from 'lockkeeper/testing';
import { describe, expect, it } from 'vitest';
import { settle } from '../../src/testing/manual-clock.js';
import { fate, ScriptedCoordinator } from '../support/scripted-coordinator.js';
import { gate, manualApp, record } from './support.js';

it('app.close() waits for a worker that is stopping already', async () => {
  const clock = new ManualClock();
  const app = createApp({ clock });
  const g = gate();
  const _voids = record(app, 'task.void', 'worker.error', 'result.failed');
  const t = app.task('t', locked('r'), async () => {
    await g.body();
    return 42;
  });
  const worker = createWorker(app);
  await worker.start();
  const call = await t.delay();
  await settle();
  const got = call.get().then(
    (v) => v,
    (e) => e,
  );
  const stopped = worker.stop(); // SIGTERM
  await settle();
  let closed = false;
  const closing = app.close().then(() => {
    closed = true;
  });
  await settle();
  const early = closed;
  await g.open();
  await clock.advance('1s');
  await stopped;
  await closing;
  expect(early).toBe(false);
  expect(await got).toBe(42);
});

it('worker.stop() and app.close() in the same tick do not cut the drain', async () => {
  const clock = new ManualClock();
  const app = createApp({ clock });
  const g = gate();
  const lost = record(app, 'task.lost', 'task.void', 'task.done');
  const t = app.task('t', locked('r'), async () => {
    await g.body();
    return 42;
  });
  const worker = createWorker(app);
  await worker.start();
  await t.delay();
  await settle();
  void worker.stop();
  const closing = app.close();
  await settle();
  await g.open();
  await clock.advance('30s');
  await closing;
  expect(lost.map((x) => x.event)).toEqual(['task.done']);
});

it('a slow result store keeps no permit idle while a tracked message is parked', async () => {
  const clock = new ManualClock();
  const results = memoryResults({ clock });
  const put = results.put.bind(results);
  let slow = true;
  results.put = async (...args) => {
    if (slow) await new Promise<void>((r) => clock.after(9_000, r));
    await put(...args);
  };
  const { app, work } = manualApp({ results }, clock);
  const t = app.task('t', { limits: [locked('r')], trackStates: true }, async () => {});
  const permit = await app.locks.acquire('r', { maxHold: false });
  await work({ concurrency: 4 });
  await t.delay();
  await settle();
  await permit.release();
  await clock.advance('3s');
  const _state = await app.locks.inspect('r');
  const free = await app.locks.tryAcquire('r');
  slow = false;
  await clock.advance('20s');
  expect(free).toBeDefined();
});

it('a permit that was handed on is not held while a booked start is waited for', async () => {
  const { app, clock, work } = manualApp({ resources: { sms: { rate: '1/m' } } });
  const g = gate();
  const t = app.task(
    't',
    { limits: [locked('a'), limited('sms', undefined, { onBusy: 'wait', waitTimeout: '1m' })] },
    g.body,
  );
  await work({ concurrency: 4 });
  await t.delay();
  await t.delay();
  await settle();
  expect(g.started).toBe(1);
  await g.open();
  await clock.advance('3s');
  expect(g.started).toBe(1); // the second waits for its start
  const free = await app.locks.tryAcquire('a');
  await free?.release();
  await clock.advance('70s');
  await g.open();
  expect(free).toBeDefined();
});

it('a book that throws is not taken for one that is still asked', async () => {
  const clock = new ManualClock();
  const service = memoryCoordinator({ clock });
  const coordinator = new ScriptedCoordinator(service, clock);
  const book = coordinator.book.bind(coordinator);
  let throws = false;
  (coordinator as any).book = (request: any) => {
    if (throws) throw new TypeError('no connection yet');
    return book(request);
  };
  const { app } = manualApp({ coordinator, resources: { sms: { rate: '10/s' }, r: {} } }, clock);
  coordinator.next('enter', fate.down);
  await expect(app.locks.tryAcquire('r')).rejects.toThrow(); // outage begins
  await clock.advance('3s');
  throws = true;
  await app.locks.start('sms', { waitTimeout: 0 }).catch(() => {});
  throws = false;
  await clock.advance('1h');
  const p = await app.locks.tryAcquire('r').catch((e) => e);
  expect(p).not.toBeInstanceOf(Error);
});

it('maxWait counts the waiting in the slot', async () => {
  const { app, clock, work } = manualApp();
  const failed: number[] = [];
  app.on('task.failed', () => failed.push(clock.now()));
  const t = app.task(
    't',
    locked('r', 1, { onBusy: 'wait', waitTimeout: '1h', maxWait: '10s' }),
    async () => {},
  );
  const permit = await app.locks.acquire('r', { maxHold: false });
  await work();
  const from = clock.now();
  await t.delay();
  await clock.advance('60s');
  await permit.release();
  expect(failed[0]! - from).toBeLessThanOrEqual(11_000);
});

it('a worker that has stopped settles no more', async () => {
  const clock = new ManualClock();
  const broker = memoryBroker({ clock });
  const consume = broker.consume.bind(broker);
  let tries = 0;
  broker.consume = async (queues, options) =>
    consume(queues, {
      ...options,
      onDelivery: (d) => {
        (d as any).settle = async () => {
          tries++;
          throw new Error('the broker is away');
        };
        options.onDelivery(d);
      },
    });
  const app = createApp({ clock, broker, coordinator: memoryCoordinator({ clock }) });
  const t = app.task('t', async () => {});
  const worker = createWorker(app);
  await worker.start();
  await t.delay();
  await clock.advance('1s');
  const stopped = worker.stop({ drain: '1s' });
  await clock.advance('60s');
  await stopped;
  const then = tries;
  await clock.advance('60s');
  expect(tries).toBe(then);
});

it('a stop during the start counts no loss for what was never started', async () => {
  const clock = new ManualClock();
  const broker = memoryBroker({ clock });
  const consume = broker.consume.bind(broker);
  broker.consume = async (queues, options) => {
    const consumer = await consume(queues, options);
    await new Promise<void>((r) => clock.after(7_000, r)); // slow to confirm
    return consumer;
  };
  const app = createApp({ clock, broker, coordinator: memoryCoordinator({ clock }) });
  const t = app.task('t', async () => {});
  await t.delay();
  const worker = createWorker(app);
  const started = worker.start().catch((e) => e);
  await settle();
  const stopped = worker.stop();
  await clock.advance('20s');
  await stopped;
  await started;
  const seen: number[] = [];
  await consume(['default'], { concurrency: 1, lease: 1000, onDelivery: (d) => void seen.push(d.losses) });
  await settle();
  expect(seen).toEqual([0]);
});

describe('11 stops that hang', () => {
  it('consumer.stop() that never answers', async () => {
    const clock = new ManualClock();
    const broker = memoryBroker({ clock });
    const consume = broker.consume.bind(broker);
    broker.consume = async (queues, options) => {
      const c = await consume(queues, options);
      c.stop = () => new Promise(() => {});
      return c;
    };
    const app = createApp({ clock, broker, coordinator: memoryCoordinator({ clock }) });
    const worker = createWorker(app);
    await worker.start();
    let over = false;
    void worker.stop({ drain: '1s' }).then(() => {
      over = true;
    });
    await clock.advance('5m');
    void worker.stop();
    await clock.advance('5m');
    expect(over).toBe(true);
  });
  it('run() ends when a signal came before the broker answered', async () => {
    const clock = new ManualClock();
    const broker = memoryBroker({ clock });
    broker.consume = () => new Promise(() => {});
    const app = createApp({ clock, broker, coordinator: memoryCoordinator({ clock }) });
    const worker = createWorker(app);
    let over: unknown = 'hangs';
    void worker.run({ signals: ['SIGUSR2'] }).then(
      () => {
        over = 'resolved';
      },
      (e) => {
        over = e;
      },
    );
    await settle();
    process.emit('SIGUSR2');
    await clock.advance('1m');
    await worker.stop();
    expect(over).toBe('resolved');
  });
  it('run() resolves when the broker answers after the stop', async () => {
    const clock = new ManualClock();
    const broker = memoryBroker({ clock });
    const consume = broker.consume.bind(broker);
    broker.consume = async (queues, options) => {
      await new Promise<void>((r) => clock.after(8_000, r));
      return consume(queues, options);
    };
    const app = createApp({ clock, broker, coordinator: memoryCoordinator({ clock }) });
    const worker = createWorker(app);
    let over: unknown = 'hangs';
    void worker.run({ signals: ['SIGUSR2'] }).then(
      () => {
        over = 'resolved';
      },
      (e) => {
        over = e;
      },
    );
    await settle();
    process.emit('SIGUSR2');
    await clock.advance('1m');
    expect(over).toBe('resolved');
  });
});

it('a broker that does not answer a take does not keep the permit from others', async () => {
  const clock = new ManualClock();
  const broker = memoryBroker({ clock });
  const consume = broker.consume.bind(broker);
  broker.consume = async (queues, options) => {
    const c = await consume(queues, options);
    c.take = () => new Promise(() => {});
    return c;
  };
  const app = createApp({ clock, broker, coordinator: memoryCoordinator({ clock }) });
  const errors = record(app, 'worker.error');
  const t = app.task('t', locked('r'), async () => {});
  const permit = await app.locks.acquire('r', { maxHold: false });
  const worker = createWorker(app, { concurrency: 2 });
  await worker.start();
  await t.delay();
  await settle();
  await permit.release();
  const waiting = app.locks.acquire('r', { waitTimeout: '1m' });
  await clock.advance('15s');
  expect((await waiting).held).toBe(true);
  expect(errors.length).toBeGreaterThan(0);
  const stopped = worker.stop();
  await clock.advance('1m');
  await stopped;
});

it('a delivery that is not its worker’s any more is told of, also where its permit was to be handed on', async () => {
  const clock = new ManualClock();
  const broker = memoryBroker({ clock });
  const consume = broker.consume.bind(broker);
  let voided = 0;
  broker.consume = async (queues, options) => {
    const consumer = await consume(queues, options);
    const take = consumer.take.bind(consumer);
    consumer.take = async (resource, asked) => {
      if (!asked.settling || voided++ > 0) return await take(resource, asked);
      // As if the worker had been taken for dead meanwhile, and another had run it.
      await asked.settling.delivery.settle(asked.settling.outcome);
      return { kind: 'void' };
    };
    return consumer;
  };
  const { app, work } = manualApp({ broker, coordinator: memoryCoordinator({ clock }) }, clock);
  const told = record(app, 'task.void');
  const g = gate();
  const t = app.task('t', { limits: [locked('r')], ignoreResult: true }, g.body);
  await work({ concurrency: 4 });
  const [first] = await t.delayMany([[], []]);
  await settle();

  await g.open(1);
  expect(told.map(({ id }) => id)).toEqual([first?.id]);
  // What is parked is let in by the doorman, under a permit of its own.
  await clock.advance('1s');
  expect(g.started).toBe(2);
  await g.open();
  expect(await app.broker.depth('default')).toMatchObject({ running: 0, parked: 0 });
});

it('a body without limits holds no permit (its limits were dropped by a deploy)', async () => {
  const clock = new ManualClock();
  const broker = memoryBroker({ clock });
  const coordinator = memoryCoordinator({ clock });
  const old = createApp({ clock, broker, coordinator });
  const next = createApp({ clock, broker, coordinator });
  const g = gate();
  const t = old.task('t', locked('r'), async () => {});
  next.task('t', g.body);
  const permit = await old.locks.acquire('r', { maxHold: false });
  const w1 = createWorker(old);
  await w1.start();
  await t.delay();
  await settle();
  await w1.stop();
  const w2 = createWorker(next);
  await w2.start();
  await settle();
  await permit.release();
  await clock.advance('20s');
  expect(g.running).toBe(1);
  const free = await old.locks.tryAcquire('r');
  await g.open();
  expect(free).toBeDefined();
});

it('revoke reaches a message that waits in a slot', async () => {
  const { app, clock, work } = manualApp();
  const seen: string[] = [];
  app.on('task.revoked', () => seen.push('revoked'));
  const t = app.task('t', locked('r', 1, { onBusy: 'wait', waitTimeout: '10m' }), async () => {});
  const permit = await app.locks.acquire('r', { maxHold: false });
  await work({ concurrency: 1 });
  const call = await t.delay();
  await settle();
  await call.revoke();
  await clock.advance('1m');
  const then = [...seen];
  await permit.release();
  await clock.advance('1s');
  expect(then).toEqual(['revoked']);
});
