import { createLocks, currentTask, locked, memoryBroker, memoryCoordinator } from 'lockkeeper';
import { ManualClock } from 'lockkeeper/testing';
import { describe, expect, it } from 'vitest';
import type { Delivery } from '../../src/brokers/broker.js';
import type { Lease } from '../../src/locks/lease.js';
import { permitLimit } from '../../src/locks/limit.js';
import { type Terms, termsOf } from '../../src/locks/terms.js';
import { settle } from '../../src/testing/manual-clock.js';
import { Spares } from '../../src/worker/spares.js';
import { gate, manualApp, record } from './support.js';

/** A worker of one slot and a coordinator that others use too. */
function shared(options: { capacity?: number } = {}) {
  const clock = new ManualClock();
  const coordinator = memoryCoordinator({ clock });
  const made = manualApp({ coordinator, resources: { r: { capacity: options.capacity ?? 1 } } }, clock);
  const others = createLocks({ coordinator, clock });
  return { ...made, others, coordinator };
}

describe('a permit whose run has ended', () => {
  it('serves the next messages that ask for the same, 32 of them, each with a permit of its own', async () => {
    const { app, work } = shared();
    const granted = record(app, 'permit.granted');
    const released = record(app, 'permit.released');
    const started = record(app, 'task.started');
    const permits: { token: bigint; held: boolean }[] = [];
    const task = app.task('t', locked('r'), async () => {
      const [permit] = currentTask().permits;
      for (const earlier of permits) expect(earlier.held).toBe(false);
      if (permit) permits.push(permit);
      return String(permit?.token);
    });
    const results = await task.delayMany(Array.from({ length: 70 }, () => [] as []));
    await work({ concurrency: 1 });
    const tokens = await Promise.all(results.map((result) => result.get({ timeout: '1m' })));
    await settle();

    expect([granted.length, released.length]).toEqual([3, 3]);
    expect(new Set(tokens).size).toBe(3);
    expect(tokens.filter((token) => token === tokens[0])).toHaveLength(32);
    expect(started.filter(({ handedOn }) => !handedOn)).toHaveLength(3);
  });

  it('is given back at once when nothing more is there', async () => {
    const { app, work, others } = shared();
    const task = app.task('t', locked('r'), async () => {});
    await work({ concurrency: 1 });
    const result = await task.delay();
    await result.get({ timeout: '1m' });

    expect(await others.tryAcquire('r')).toBeDefined();
  });

  it('is given back before the body of a message that asks for something else, or for nothing', async () => {
    const { app, work, others } = shared();
    const free = async () => (await others.inspect('r')).holders.length === 0;
    const held = app.task('held', locked('r'), async () => {});
    const seen: unknown[] = [];
    const look = async (what: string) => void seen.push([what, await free()]);
    const tasks = [
      app.task('nothing', () => look('nothing')),
      app.task('another', locked('another'), () => look('another')),
      app.task('heavier', { limits: [locked('wide', 2, { weight: 2 })] }, () => look('heavier')),
      app.task('several', { limits: [locked('another'), locked('third')] }, () => look('several')),
    ];
    for (const task of tasks) {
      await held.delay();
      await task.delay();
    }
    await work({ concurrency: 1 });
    await settle();

    expect(seen).toEqual(['nothing', 'another', 'heavier', 'several'].map((what) => [what, true]));
  });

  it('is given back when the messages at hand do not come to take it', async () => {
    const { app, work, others, clock } = shared();
    const g = gate();
    const task = app.task('t', locked('r'), async () => {});
    const blocked = app.task('blocked', { limits: [locked('slots', 2)] }, g.body);
    // What is at hand is late, so it ends before it asks for anything.
    await task.delay();
    await task.applyAsync([], { expires: '1s' });
    await blocked.delay();
    await clock.advance('2s');
    await work({ concurrency: 1 });

    expect(g.started).toBe(1);
    expect((await others.inspect('r')).holders).toEqual([]);
    await g.open();
  });

  it('comes to those in line elsewhere after 32 runs', async () => {
    const { app, work, others } = shared();
    let ran = 0;
    let ranBefore: number | undefined;
    const task = app.task('t', locked('r'), async () => {
      if (++ran === 1) {
        void others.using('r', async () => {
          ranBefore = ran;
        });
        await settle();
      }
    });
    await task.delayMany(Array.from({ length: 100 }, () => [] as []));
    await work({ concurrency: 1 });
    await settle();

    expect(ranBefore).toBeLessThanOrEqual(32);
    expect(ran).toBe(100);
  });

  it('serves none after 200 ms', async () => {
    const { app, work, clock } = shared();
    const granted = record(app, 'permit.granted');
    const g = gate();
    const task = app.task('t', locked('r'), g.body);
    await task.delayMany([[], [], []]);
    await work({ concurrency: 1 });
    await clock.advance(150);
    await g.open(1);
    expect(granted).toHaveLength(1);
    await clock.advance(50);
    await g.open(1);
    expect(granted).toHaveLength(2);
    await g.open();
  });

  it('is kept from a message while a parked one is there, which was published first', async () => {
    const clock = new ManualClock();
    const broker = memoryBroker({ clock });
    const coordinator = memoryCoordinator({ clock });
    const { app, work } = manualApp({ broker, coordinator }, clock);
    const others = createLocks({ coordinator, clock });
    const order: number[] = [];
    const task = app.task('t', locked('r'), async (i: number) => void order.push(i));
    const theirs = await others.acquire('r');
    const worker = await work({ concurrency: 1 });
    await task.delay(0);
    await task.delay(1);
    await settle();
    expect((await broker.depth('default')).parked).toBe(2);
    await worker.stop();
    await theirs.release();

    await task.delay(2);
    await task.delay(3);
    await work({ concurrency: 1 });
    await clock.advance('10s');
    expect(order.indexOf(0)).toBeLessThan(order.indexOf(1));
    expect(order.indexOf(1)).toBeLessThan(order.indexOf(3));
  });

  it('goes to nobody once its resource is paused', async () => {
    const { app, work, clock } = shared();
    let ran = 0;
    const task = app.task('t', locked('r'), async () => {
      if (++ran === 1) await app.locks.pause('r', '30s');
    });
    await task.delayMany(Array.from({ length: 10 }, () => [] as []));
    await work({ concurrency: 4 });
    await settle();
    expect(ran).toBe(1);
    await clock.advance('31s');
    expect(ran).toBe(10);
  });

  it('has a `maxHold` of its own in each run', async () => {
    const { app, work, clock } = shared();
    const reasons: unknown[] = [];
    const g = gate();
    const task = app.task('t', { limits: [locked('r', { maxHold: '1s' })] }, async () => {
      const { signal } = currentTask();
      await g.body();
      reasons.push(signal.reason);
    });
    await task.delayMany([[], []]);
    await work({ concurrency: 1 });
    await clock.advance(100);
    await g.open(1);
    await clock.advance(950);
    expect(g.started).toBe(2);
    await g.open();
    expect(reasons).toEqual([undefined, undefined]);
  });

  it('is not for a message that was lost before: its earlier run may be alive', async () => {
    const { app, work, clock } = shared({ capacity: 2 });
    const g = gate();
    const runs: string[] = [];
    const task = app.task('t', locked('r'), async (name: string) => {
      runs.push(name);
      await g.body();
    });
    const dead = await work({ concurrency: 1, lease: '1s' });
    await task.delay('lost');
    await settle();
    await dead.crash();
    await task.delay('a');
    await task.delay('b');
    await work({ concurrency: 1 });
    // The lost one was published first, so it is what the slot is handed next.
    await clock.advance('1s');
    expect(runs).toEqual(['lost', 'a']);

    await g.open();
    expect(runs).toEqual(['lost', 'a', 'b']);
    await g.open();
    // Its permit of then ends with its lease.
    await clock.advance('15s');
    expect(runs).toEqual(['lost', 'a', 'b', 'lost']);
    await g.open();
  });
});

/** Spare permits of a worker whose queues and doormen say what the test makes them say. */
function spare() {
  const clock = new ManualClock();
  const locks = createLocks({ coordinator: memoryCoordinator({ clock }), clock });
  const state = { more: true, expecting: false, parked: [] as string[] };
  const leaving = new AbortController();
  const spares = new Spares({
    locks,
    consumer: state,
    doormen: { standsFor: (resource) => state.parked.includes(resource) },
    leaving: leaving.signal,
  });
  const terms = (resource = 'r', weight = 1): Terms =>
    termsOf(locks.settings.resources, permitLimit(resource, 10), { key: resource, weight });
  const grant = async (asked = terms()) =>
    (await locks.party(asked).try(asked, { id: locks.newClaim() })) as Lease;
  const held = async (resource = 'r') => (await locks.inspect(resource)).holders.length;
  return { clock, locks, state, leaving, spares, terms, grant, held };
}

const message = (losses = 0) => ({ message: { id: 'm', task: 't' }, losses }) as Delivery;
const turnOfTheLoop = () => new Promise((resolve) => setImmediate(resolve));

describe('a spare permit', () => {
  it('goes to the message that starts next, on terms that are the same', async () => {
    const { spares, terms, grant } = spare();
    const lease = await grant();
    expect(spares.keep(lease)).toBe(true);
    expect(spares.take(terms(), message())).toBe(lease);
    expect(lease).toMatchObject({ turns: 2, serves: { task: 't', id: 'm' } });
    expect(spares.take(terms(), message())).toBeUndefined();
  });

  it.each([
    ['no message is there', async ({ state }) => void Object.assign(state, { more: false })],
    ['its resource has parked messages', async ({ state }) => void state.parked.push('r')],
    ['the worker leaves', async ({ leaving }) => leaving.abort()],
    ['200 ms have passed since the grant', ({ clock }) => clock.advance(200)],
  ] as [string, (made: ReturnType<typeof spare>) => Promise<void>][])(
    'is not kept when %s',
    async (_, when) => {
      const made = spare();
      const lease = await made.grant();
      await when(made);
      expect(made.spares.keep(lease)).toBe(false);
    },
  );

  it('is not kept after 32 runs, nor when it is lost or given back', async () => {
    const { spares, grant } = spare();
    const [old, lost, released] = [await grant(), await grant(), await grant()];
    old.turns = 32;
    lost.lose('not-owner');
    await released.release();
    expect([old, lost, released].map((lease) => spares.keep(lease))).toEqual([false, false, false]);
  });

  it('is neither kept nor taken while somebody of this side stands in line for it', async () => {
    const { spares, locks, terms, grant, held } = spare();
    const [one, other] = [await grant(), await grant()];
    expect(spares.keep(one)).toBe(true);
    const end = new AbortController();
    const full = await grant(terms('r', 8));
    const standing = locks.party(terms()).stand(terms(), { id: 'stands' }, { signal: end.signal });

    expect(spares.keep(other)).toBe(false);
    expect(spares.take(terms(), message())).toBeUndefined();
    await standing;
    await full.release();
    expect(await held()).toBe(2);
  });

  it.each([
    ['other terms', ({ terms }) => [terms('r', 2), message()]],
    ['another resource', ({ terms }) => [terms('s'), message()]],
    ['a message that was lost before', ({ terms }) => [terms(), message(1)]],
  ] satisfies [string, (made: ReturnType<typeof spare>) => [Terms, Delivery]][])(
    'is given back when it is asked for by %s',
    async (_, asking) => {
      const made = spare();
      made.spares.keep(await made.grant());
      made.spares.keep(await made.grant());
      expect(made.spares.take(...asking(made))).toBeUndefined();
      expect(await made.held()).toBe(0);
    },
  );

  it('is given back when its chain has ended, or a room has messages, before it is asked for', async () => {
    const { spares, state, terms, grant, held } = spare();
    const lease = await grant();
    expect(spares.keep(lease)).toBe(true);
    lease.endChain();
    expect(spares.take(terms(), message())).toBeUndefined();

    spares.keep(await grant());
    state.parked.push('r');
    expect(spares.take(terms(), message())).toBeUndefined();
    expect(await held()).toBe(0);
  });

  it('is given back after two turns of the event loop in which nobody needed it, however many come and go', async () => {
    const { spares, terms, grant, held } = spare();
    for (let i = 0; i < 5; i++) spares.keep(await grant());
    await turnOfTheLoop();
    const used = [spares.take(terms(), message()), spares.take(terms(), message())];
    for (const lease of used) if (lease) spares.keep(lease);
    await turnOfTheLoop();
    expect(await held()).toBe(2);
    await turnOfTheLoop();
    await turnOfTheLoop();
    expect(await held()).toBe(0);
  });

  it('is kept for a message that is on its way, until nobody needed it at two looks', async () => {
    const { spares, state, clock, terms, grant, held } = spare();
    Object.assign(state, { more: false, expecting: true });
    for (let i = 0; i < 3; i++) expect(spares.keep(await grant())).toBe(true);
    await turnOfTheLoop();
    await turnOfTheLoop();
    expect(await held()).toBe(3);
    await clock.advance(2);
    const used = spares.take(terms(), message()) as Lease;
    spares.keep(used);
    await clock.advance(2);
    expect(await held()).toBe(1);
    await clock.advance(2);
    await clock.advance(2);
    expect(await held()).toBe(0);
  });

  it('gives way to those of other terms', async () => {
    const { spares, terms, grant, held } = spare();
    spares.keep(await grant());
    const lease = await grant(terms('s'));
    expect(spares.keep(lease)).toBe(true);
    expect(await held()).toBe(0);
    expect(spares.take(terms('s'), message())).toBe(lease);
  });
});
