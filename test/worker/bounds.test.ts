import {
  createApp,
  createWorker,
  currentTask,
  limited,
  locked,
  memoryBroker,
  memoryCoordinator,
  memoryResults,
} from 'lockkeeper';
import { ManualClock } from 'lockkeeper/testing';
import { describe, expect, it } from 'vitest';
import type { Broker, Delivery, Outcome } from '../../src/brokers/broker.js';
import { CoordinatorUnavailableError } from '../../src/errors.js';
import type { Coordinator } from '../../src/locks/coordinator.js';
import type { StoredState } from '../../src/results/result-store.js';
import { settle } from '../../src/testing/manual-clock.js';
import { gate, manualApp, record } from './support.js';

/** A store that answers when it is told to. */
function slowResults(clock: ManualClock) {
  const store = memoryResults({ clock });
  const waiting: (() => void)[] = [];
  const put = store.put.bind(store);
  let slow = true;
  store.put = async (id: string, state: StoredState, ttl: number) => {
    if (slow) await new Promise<void>((resolve) => waiting.push(resolve));
    await put(id, state, ttl);
  };
  const answer = async () => {
    slow = false;
    for (const resolve of waiting.splice(0)) resolve();
    await settle();
  };
  return { store, answer };
}

/** Has the broker wait before it parks anything, once it is told to `stall`, until it is told to `go`. */
function slowParkings(broker: Broker) {
  let told: Promise<void> | undefined;
  const parkings = {
    waiting: 0,
    go: () => {},
    stall() {
      told = new Promise<void>((resolve) => {
        parkings.go = resolve;
      });
    },
  };
  const slow = (delivery: Delivery): Delivery => {
    const settle = delivery.settle.bind(delivery);
    return Object.assign(delivery, {
      settle: async (outcome: Outcome) => {
        if (!told || !('room' in outcome)) return await settle(outcome);
        parkings.waiting++;
        await told;
        return await settle(outcome);
      },
    });
  };
  const consume = broker.consume.bind(broker);
  broker.consume = (queues, options) =>
    consume(queues, { ...options, onDelivery: (delivery) => options.onDelivery(slow(delivery)) });
  return parkings;
}

/** The same, as one that sends: it says that all it was given is on its way. */
function sendingResults(clock: ManualClock) {
  const { store, answer } = slowResults(clock);
  const state = { hasSent: true };
  Object.defineProperty(store, 'hasSent', { get: () => state.hasSent });
  return { store, answer, state };
}

/** One task with one permit, whose results are stored when the store is told to answer. */
function lockedBeforeSlowResults() {
  const clock = new ManualClock();
  const { store, answer } = slowResults(clock);
  const { app, work } = manualApp({ results: store }, clock);
  const g = gate();
  return { clock, answer, app, work, g, task: app.task('t', locked('storage'), g.body) };
}

/** The coordinator, but for what happens while it is away. */
function failing(coordinator: Coordinator) {
  const state = { away: false };
  const unavailable = () => Promise.reject(new CoordinatorUnavailableError('memory'));
  const proxy = new Proxy(coordinator, {
    get(target, key) {
      const value = Reflect.get(target, key, target);
      if (typeof value !== 'function') return value;
      const calls = key === 'enter' || key === 'renew' || key === 'book' || key === 'exit';
      return calls && state.away ? unavailable : value.bind(target);
    },
  });
  return { coordinator: proxy, state };
}

describe('a chain', () => {
  /** A worker of two slots has run a locked message for 250 ms. One waits in its room, and more are in the queue. */
  async function afterLong(second: 'locked' | 'free') {
    const clock = new ManualClock();
    const broker = memoryBroker({ clock });
    const { app, work, settle } = manualApp({ broker }, clock);
    const parkings = slowParkings(broker);
    const started = record(app, 'task.started');
    const [runs, others] = [gate(), gate()];
    const save = app.task('save', locked('storage'), () => runs.body());
    const free = app.task('free', () => others.body());
    await work({ concurrency: 2 });
    for (let i = 0; i < 2; i++) await save.delay();
    await settle();
    expect(await app.broker.depth('default')).toMatchObject({ running: 1, parked: 1 });
    parkings.stall();
    for (let i = 0; i < 2; i++) await (second === 'locked' ? save : free).delay();
    await settle();
    await clock.advance('250ms');
    await runs.open(1);
    const next = started.filter(({ task }) => task === 'save')[1];
    const { waiting } = parkings;
    parkings.go();
    for (let i = 0; i < 4; i++) await Promise.all([others.open(), runs.open()]);
    return { next, waiting };
  }

  it('goes on while the other slot only parks a message, though the queue has more', async () => {
    expect(await afterLong('locked')).toMatchObject({ next: { handedOn: true }, waiting: 1 });
  });

  it('ends after 200 ms when the other slot runs a body, and the queue has more', async () => {
    expect(await afterLong('free')).toMatchObject({ next: undefined, waiting: 0 });
  });
});

describe('a result store', () => {
  it.each([
    ['is connected to before the first state, and holds up no start when that fails', false, 1],
    ['is left alone where none does', true, 0],
  ])('%s', async (_, ignoreResult, times) => {
    const clock = new ManualClock();
    let asked = 0;
    const ready = async () => {
      asked++;
      throw new Error('nobody there');
    };
    const { app, work } = manualApp({ results: Object.assign(memoryResults({ clock }), { ready }) }, clock);
    app.task('t', { ignoreResult }, () => {});
    await work();
    expect(asked).toBe(times);
  });
});

describe('a result store that does not answer', () => {
  it('keeps no permit from others', async () => {
    const clock = new ManualClock();
    const { store, answer } = slowResults(clock);
    const { app, work } = manualApp({ results: store }, clock);
    const task = app.task('t', locked('storage'), async () => {});
    await work();
    const result = await task.delay();
    await settle();

    expect(await app.locks.tryAcquire('storage')).toBeDefined();
    await answer();
    await result.get({ timeout: '1s' });
  });

  it('does not keep the next of a room waiting while a slot is free, and settles nothing before it has answered', async () => {
    const { answer, app, work, g, task } = lockedBeforeSlowResults();
    await work({ concurrency: 4 });
    for (let i = 0; i < 3; i++) await task.delay();
    await settle();
    expect(g.started).toBe(1);

    await g.open();

    expect(g).toMatchObject({ started: 2, running: 1 });
    expect(await app.broker.depth('default')).toMatchObject({ running: 2, parked: 1 });
    await g.open();
    expect(g).toMatchObject({ started: 3, most: 1 });
    expect(await app.broker.depth('default')).toMatchObject({ running: 3, parked: 0 });
    await answer();
    expect(await app.broker.depth('default')).toMatchObject({ running: 1 });
    await g.open();
  });

  it.each([
    ['is not waited for where it has sent what it was given', true],
    ['is waited for where it has not', false],
  ])('%s', async (_, hasSent) => {
    const clock = new ManualClock();
    const { store, answer, state } = sendingResults(clock);
    state.hasSent = hasSent;
    const { app, work } = manualApp({ results: store }, clock);
    const g = gate();
    const task = app.task('t', locked('storage'), () => g.body());
    const other = app.task('other', () => g.body());
    await work({ concurrency: 2 });
    for (const one of [task, task, other]) {
      await one.delay();
      await settle();
    }
    expect(await app.broker.depth('default')).toMatchObject({ running: 2, parked: 1 });

    await g.open(1);

    expect(g.started).toBe(hasSent ? 3 : 2);
    expect(await app.broker.depth('default')).toMatchObject({ running: 2, parked: hasSent ? 0 : 1 });
    await answer();
    await g.open();
    expect(g.started).toBe(3);
  });

  it('is waited for by a worker that stops, though it has sent what it was given', async () => {
    const clock = new ManualClock();
    const { store, answer } = sendingResults(clock);
    const { app, work } = manualApp({ results: store }, clock);
    const task = app.task('t', async () => 'done');
    const worker = await work();
    const result = await task.delay();
    await settle();
    expect(await app.broker.depth('default')).toMatchObject({ ready: 0, running: 0 });

    let stopped = false;
    const stopping = worker.stop().then(() => {
      stopped = true;
    });
    await settle();
    expect(stopped).toBe(false);
    await answer();
    await stopping;
    expect(await result.get({ timeout: '1s' })).toBe('done');
  });

  it('lets what ran and what runs come back when the worker dies, and neither runs beside the other', async () => {
    const { clock, answer, app, work, g, task } = lockedBeforeSlowResults();
    const dying = await work({ concurrency: 4 });
    const results = [await task.delay(), await task.delay()];
    await settle();
    await g.open();
    expect(g).toMatchObject({ started: 2, running: 1 });

    await dying.crash();
    await answer();
    await g.open();
    await work({ concurrency: 4 });
    await clock.advance('1m');
    await g.open();
    await clock.advance('1m');
    await g.open();

    expect(g).toMatchObject({ started: 4, running: 0, most: 1 });
    await Promise.all(results.map((result) => result.get({ timeout: '1s' })));
    expect(await app.broker.depth('default')).toMatchObject({ ready: 0, running: 0, parked: 0 });
  });

  it('keeps a permit for no longer than 50 ms where no other slot is free', async () => {
    const { clock, answer, app, work, g, task } = lockedBeforeSlowResults();
    const other = gate();
    const unlimited = app.task('other', other.body);
    await work({ concurrency: 2 });
    for (let i = 0; i < 2; i++) await task.delay();
    await settle();
    await unlimited.delay();
    await settle();
    expect([g.started, other.started]).toEqual([1, 1]);

    await g.open();
    expect(await app.locks.tryAcquire('storage')).toBeUndefined();
    await clock.advance(50);

    const permit = await app.locks.tryAcquire('storage');
    expect(permit).toBeDefined();
    await permit?.release();
    await answer();
    await other.open();
    await clock.advance('1s');
    await g.open();
    expect(g).toMatchObject({ started: 2, most: 1 });
  });

  it('is given up after 10 s, and the delivery is settled', async () => {
    const clock = new ManualClock();
    const { store } = slowResults(clock);
    const { app, work } = manualApp({ results: store }, clock);
    const failed = record(app, 'result.failed');
    const task = app.task('t', async () => {});
    await work();
    await task.delay();
    await settle();
    expect(await app.broker.depth('default')).toMatchObject({ running: 1 });

    await clock.advance('10s');

    expect(failed).toHaveLength(1);
    expect(await app.broker.depth('default')).toMatchObject({ running: 0 });
  });

  it('does not keep a body from starting that is tracked', async () => {
    const clock = new ManualClock();
    const { store, answer } = slowResults(clock);
    const { app, work } = manualApp({ results: store }, clock);
    const g = gate();
    const task = app.task('t', { trackStates: true }, g.body);
    await work();
    await task.delay();
    await settle();

    expect(g.started).toBe(1);
    await g.open();
    await answer();
  });
});

describe('waiting in a slot', () => {
  it('ends with the message that expires', async () => {
    const { app, clock, work } = manualApp();
    const expired = record(app, 'task.expired');
    const task = app.task('t', locked('storage', 1, { onBusy: 'wait', waitTimeout: '1h' }), async () => {});
    const permit = await app.locks.acquire('storage', { maxHold: false });
    await work();
    await task.applyAsync([], { expires: '5s' });
    await settle();

    await clock.advance('6s');

    expect(expired).toHaveLength(1);
    await permit.release();
  });

  it('ends with maxWait', async () => {
    const { app, clock, work } = manualApp();
    const failed = record(app, 'task.failed');
    const limit = locked('storage', 1, { onBusy: 'wait', waitTimeout: '1h', maxWait: '5s' });
    const task = app.task('t', limit, async () => {});
    const permit = await app.locks.acquire('storage', { maxHold: false });
    await work();
    await task.delay();
    await settle();

    await clock.advance('3s');
    expect(failed).toEqual([]);
    await clock.advance('10s');

    expect(failed).toHaveLength(1);
    await permit.release();
  });

  it('for a start ends after waitTimeout, however often the rate is paused', async () => {
    const { app, clock, work } = manualApp({ resources: { sms: { rate: '1/s' } } });
    const deferred = record(app, 'task.deferred');
    const task = app.task(
      't',
      limited('sms', undefined, { onBusy: 'wait', waitTimeout: '5s' }),
      async () => {},
    );
    await work();
    await task.delay();
    await settle();
    await task.delay();
    await settle();
    for (let i = 0; i < 10; i++) {
      await app.locks.pause('sms', '2s');
      await clock.advance('1s');
    }

    expect(deferred.length).toBeGreaterThan(0);
    await app.locks.resume('sms');
    await clock.advance('10s');
  });
});

describe('a coordinator that is away', () => {
  it.each(['run', 'fail'] as const)(
    'is %s for limits that say so, though others are parked',
    async (onUnavailable) => {
      const clock = new ManualClock();
      const { coordinator, state } = failing(memoryCoordinator({ clock }));
      const { app, work } = manualApp({ coordinator }, clock);
      const g = gate();
      const ran: string[] = [];
      const patient = app.task('patient', locked('storage'), g.body);
      const other = app.task(
        'other',
        locked('storage', 1, { onUnavailable }),
        async () => void ran.push('other'),
      );
      const failed = record(app, 'task.failed');
      await work({ concurrency: 4 });
      await patient.delay();
      await patient.delay();
      await settle();
      state.away = true;
      await clock.advance('2s');

      await other.delay();
      await clock.advance('100ms');

      expect(onUnavailable === 'run' ? ran : failed.map(({ task }) => task)).toEqual(['other']);
      state.away = false;
      await clock.advance('2s');
      await g.open();
      await clock.advance('2s');
      await g.open();
    },
  );

  it('is not asked at every turn of the loop by a rate with no countdown', async () => {
    const clock = new ManualClock();
    const { coordinator, state } = failing(memoryCoordinator({ clock }));
    const { app, work } = manualApp({ coordinator }, clock);
    const deferred = record(app, 'task.deferred');
    const task = app.task('t', limited('sms', '1/s', { countdown: 0 }), async () => {});
    await work();
    state.away = true;
    await task.delay();
    await settle();
    await clock.advance('10s');

    expect(deferred.length).toBeLessThan(15);
    state.away = false;
    await clock.advance('5s');
  });
});

describe('a permit that was handed on', () => {
  it('tells with its next renewal which message it serves', async () => {
    const { app, clock, work } = manualApp();
    const g = gate();
    const task = app.task('t', locked('storage'), g.body);
    await work({ concurrency: 2 });
    await task.delay();
    const second = await task.delay();
    await settle();
    await g.open(1);
    expect(g.started).toBe(2);

    await clock.advance('6s');

    const { holders } = await app.locks.inspect('storage');
    expect(holders).toMatchObject([{ task: 't', message: second.id }]);
    await g.open();
  });
});

describe('a worker', () => {
  it('that cannot start leaves nothing behind, and says why', async () => {
    const clock = new ManualClock();
    const broker = memoryBroker({ clock });
    const consume = broker.consume.bind(broker);
    let closed = 0;
    broker.consume = async (queues, options) => {
      const consumer = await consume(queues, options);
      const close = consumer.close.bind(consumer);
      consumer.rooms = async () => Promise.reject(new Error('no rooms today'));
      consumer.close = async () => {
        closed++;
        await close();
      };
      return consumer;
    };
    const { app } = manualApp({ broker, coordinator: memoryCoordinator({ clock }) }, clock);
    const worker = createWorker(app);

    await expect(worker.start()).rejects.toThrow('no rooms today');

    expect(closed).toBe(1);
    await worker.stop();
  });

  it('stops though its broker never lets it start', async () => {
    const clock = new ManualClock();
    const broker = memoryBroker({ clock });
    broker.consume = () => new Promise(() => {});
    const { app } = manualApp({ broker, coordinator: memoryCoordinator({ clock }) }, clock);
    const worker = createWorker(app);
    void worker.start();

    const stopped = worker.stop();
    await clock.advance('10s');

    await stopped;
  });

  it('counts no loss for what it was taking when it stopped', async () => {
    const clock = new ManualClock();
    const broker = memoryBroker({ clock });
    const consume = broker.consume.bind(broker);
    let answer: (() => void) | undefined;
    broker.consume = async (queues, options) => {
      const consumer = await consume(queues, options);
      const take = consumer.take.bind(consumer);
      consumer.take = async (resource, how) => {
        const taken = await take(resource, how);
        if (taken.kind === 'taken' && !how.settling)
          await new Promise<void>((resolve) => {
            answer = resolve;
          });
        return taken;
      };
      return consumer;
    };
    const { app, work } = manualApp({ broker, coordinator: memoryCoordinator({ clock }) }, clock);
    const task = app.task('t', locked('storage'), async () => {});
    const permit = await app.locks.acquire('storage');
    const worker = await work({ concurrency: 2 });
    await task.delay();
    await settle();
    await permit.release();
    await settle();
    expect(answer).toBeDefined();

    const stopped = worker.stop({ drain: '1s' });
    await settle();
    answer?.();
    await clock.advance('1s');
    await stopped;

    const seen: number[] = [];
    const consumer = await broker.consume(['default'], {
      concurrency: 1,
      lease: 1_000,
      onDelivery: ({ losses }) => seen.push(losses),
    });
    await settle();
    expect(seen).toEqual([0]);
    await consumer.close();
  });

  it('serves the queues of the tasks there are when it starts', async () => {
    const { app } = manualApp();
    const worker = createWorker(app);
    app.task('late', { queue: 'late' }, async () => {});
    await worker.start();
    expect(worker.queues).toContain('late');
  });
});

it('close() tells the bodies of `using` to stop before their permits are given away', async () => {
  const app = createApp({ clock: new ManualClock() });
  let reason: unknown;
  const used = app.locks.using('storage', async ({ signal }) => {
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
    reason = signal.reason;
  });
  await settle();

  await app.close();
  await used;

  expect(reason).toMatchObject({ code: 'CLOSED' });
});

it('capacity.mismatch is told once in a process, whoever meets it', async () => {
  const clock = new ManualClock();
  const coordinator = memoryCoordinator({ clock });
  const apps = [1, 3, 4].map((capacity) =>
    createApp({ clock, coordinator, resources: { storage: { capacity } } }),
  );
  let told = 0;
  for (const app of apps) app.on('capacity.mismatch', () => told++);
  for (const app of apps) await app.locks.acquire('storage');
  expect(told).toBe(1);
  await Promise.all(apps.map((app) => app.close()));
});

it('events tell facts, not the permit itself', async () => {
  const app = createApp({ clock: new ManualClock() });
  const seen = record(app, 'permit.granted', 'permit.released');
  await app.locks.using('storage', async () => {});
  const facts = { resource: 'storage', id: expect.any(String), weight: 1 };
  expect(seen).toEqual([
    { ...facts, event: 'permit.granted' },
    { ...facts, event: 'permit.released', held: 0 },
  ]);
  await app.close();
});

it('a tracked run keeps the progress that it tells of at once', async () => {
  const { app, work } = manualApp();
  const g = gate();
  const task = app.task('t', { trackStates: true }, async () => {
    await currentTask().progress({ at: 1 });
    await g.body();
  });
  await work();
  const call = await task.delay();
  await settle();
  expect(await call.details()).toMatchObject({ state: 'started', progress: { at: 1 } });
  await g.open();
});

it('a worker that was stopped says so when it is started again', async () => {
  const { app } = manualApp();
  const worker = createWorker(app);
  await worker.start();
  await worker.stop();
  await expect(worker.start()).rejects.toThrow('create another one');
});

it('setCapacity refuses what has no capacity of its own', async () => {
  const { app } = manualApp({ resources: { sms: { rate: '1/s' }, 'tenant:*': { capacity: 2 } } });
  await expect(app.locks.setCapacity('sms', 3)).rejects.toThrow('is a rate');
  await expect(app.locks.setCapacity('tenant:*', 3)).rejects.toThrow('is a pattern');
  await expect(app.locks.acquire('')).rejects.toThrow('a text that is not empty');
});
