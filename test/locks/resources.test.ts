import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/errors.js';
import type { Coordinator, CoordinatorFeatures } from '../../src/locks/coordinator.js';
import { createLocks } from '../../src/locks/create-locks.js';
import { permitLimit } from '../../src/locks/limit.js';
import { memoryCoordinator } from '../../src/locks/memory.js';
import { openCoordinator } from '../../src/locks/open.js';
import { Resources } from '../../src/locks/resources.js';
import { termsOf } from '../../src/locks/terms.js';
import { ManualClock } from '../../src/testing/manual-clock.js';
import { errorOf, ScriptedCoordinator } from './kit.js';

const clock = new ManualClock();
const coordinator = memoryCoordinator({ clock });

/** One that lacks something. */
function lacking(features: Partial<CoordinatorFeatures>): ScriptedCoordinator {
  return new ScriptedCoordinator(coordinator, clock, features);
}

function messageOf(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as Error).message;
  }
  return expect.unreachable('nothing was thrown');
}

describe('a declaration', () => {
  it.each([
    [{ capacity: 0 }, /`resources\["storage"\]\.capacity`.*whole number from 1 up, got 0/],
    [{ capacity: 1.5 }, /capacity`.*got 1.5/],
    [{ capacity: '10' }, /capacity`.*got "10"/],
    [{ capacity: Number.POSITIVE_INFINITY }, /capacity`.*got Infinity/],
    [{ rate: 100 }, /`resources\["storage"\]\.rate`.*such as '100\/m'.*got 100/],
    [{ rate: '100' }, /rate`.*got "100"/],
    [{ rate: '100/fortnight' }, /rate`.*got "100\/fortnight"/],
    [{ rate: '0/s' }, /rate`.*from 1 up, got 0/],
    [{ rate: '5/0s' }, /longer than 0, got "5\/0s"/],
    [{ rate: '-5/s' }, /got "-5\/s"/],
    [{ rate: '5/s', burst: 0 }, /`resources\["storage"\]\.burst`.*got 0/],
    [{ rate: '5/s', burst: 'two' }, /burst`.*got "two"/],
    [{ burst: 2 }, /`resources\["storage"\]` has a burst but no rate/],
    [{ rate: '5/s', capacity: 2 }, /both a capacity and a rate/],
    [{ rate: '5/s', lease: '5s' }, /is a rate, which holds nothing: it has no lease/],
    [{ rate: '5/s', maxHold: '5s' }, /it has no maxHold/],
    [{ lease: 'soon' }, /`resources\["storage"\]\.lease`.*got "soon"/],
    [{ lease: 0 }, /lease of 0 ms.*memory coordinator needs 1 ms/],
    [{ maxHold: true }, /maxHold`.*got true/],
    [{ coordinator: 7 }, /`resources\["storage"\]\.coordinator`.*got 7/],
    [{ coordinator: {} }, /coordinator`.*got an object/],
    [{ coordinator: 'carrier-pigeon://loft' }, /"carrier-pigeon:\/\/loft"/],
    [{ layout: 7 }, /`resources\["storage"\]\.layout`.*got 7/],
    [{ capasity: 5 }, /no option `capasity`.*`capacity`/],
    [7, /`resources\["storage"\]` to be an object, got 7/],
    [null, /to be an object, got null/],
  ])('%j is rejected, with what is wrong about it', (options, message) => {
    expect(messageOf(() => new Resources({ storage: options as never }, coordinator))).toMatch(message);
  });

  it.each(['a*b', '*a', 'a**'])('of the name %j is rejected', (name) => {
    expect(messageOf(() => new Resources({ [name]: {} }, coordinator))).toMatch(/only stand at the end/);
  });

  it('never shows the password of a coordinator that is not known', () => {
    const message = messageOf(
      () => new Resources({ a: { coordinator: 'foo://me:secret@host' } }, coordinator),
    );
    expect(message).not.toContain('secret');
    expect(message).toContain('foo://me:***@host');
  });

  it('is kept, and judged, by the coordinator in its layout', () => {
    const inLayout = lacking({ semaphore: false });
    const layouts: Coordinator = Object.assign(lacking({}), { layout: () => inLayout });
    const resources = new Resources({ nightly: { layout: 'string' }, storage: { capacity: 2 } }, layouts);
    expect(resources.resolve('nightly').coordinator).toBe(inLayout);
    expect(resources.resolve('storage').coordinator).toBe(layouts);
    expect(messageOf(() => new Resources({ a: { layout: 'string', capacity: 2 } }, layouts))).toMatch(
      /keeps mutexes only/,
    );
  });

  it('is refused when the coordinator lacks what it asks for, and the error names the remedy', () => {
    const remedy = /name another with `coordinator`/;
    const noRate = messageOf(() => new Resources({ sms: { rate: '5/s' } }, lacking({ rate: false })));
    expect(noRate).toMatch(/resources\["sms"\].*memory coordinator cannot keep/);
    expect(noRate).toMatch(remedy);
    const mutexOnly = messageOf(
      () => new Resources({ storage: { capacity: 2 } }, lacking({ semaphore: false })),
    );
    expect(mutexOnly).toMatch(/capacity of 2.*mutexes only/);
    expect(mutexOnly).toMatch(remedy);
    expect(
      messageOf(() => new Resources({ storage: { lease: '1s' } }, lacking({ minLease: 2_000 }))),
    ).toMatch(/lease of 1000 ms.*2000 ms or more/);
    expect(
      () => new Resources({ storage: { capacity: 1 } }, lacking({ semaphore: false, rate: false })),
    ).not.toThrow();
  });

  it('is not refused for what a coordinator of its own can do', () => {
    const resources = new Resources({ sms: { rate: '5/s', coordinator } }, lacking({ rate: false }));
    expect(resources.resolve('sms').coordinator).toBe(coordinator);
  });
});

describe('what a call asks for', () => {
  it('is refused when the coordinator lacks it', async () => {
    const mutexes = createLocks({ coordinator: lacking({ semaphore: false }), clock });
    expect((await errorOf(mutexes.acquire('a', { capacity: 2 }))).message).toMatch(/mutexes only/);
    const slow = createLocks({ coordinator: lacking({ minLease: 2_000 }), clock });
    expect((await errorOf(slow.acquire('a', { lease: '1s' }))).message).toMatch(/2000 ms or more/);
    const plain = createLocks({ coordinator: lacking({ weighted: false }), clock });
    expect((await errorOf(plain.acquire('a', { capacity: 3, weight: 2 }))).message).toMatch(
      /weight of 2.*"a".*memory coordinator.*name another/,
    );
  });
});

describe('resolving', () => {
  const resources = new Resources(
    {
      '*': { capacity: 2 },
      'tenant:*': { capacity: 3 },
      'tenant:gold:*': { capacity: 4 },
      'tenant:acme': { capacity: 5 },
    },
    coordinator,
  );

  it.each([
    ['tenant:acme', 5],
    ['tenant:acme:x', 3],
    ['tenant:gold:acme', 4],
    ['tenant:gold:', 4],
    ['tenant:gold', 3],
    ['tenant', 2],
    ['tenant:*', 3],
  ])('finds the exact name first, then the longest prefix: %s', (name, capacity) => {
    expect(resources.resolve(name).capacity).toBe(capacity);
  });

  it('takes what nothing declares for a mutex of the app’s coordinator', () => {
    const { resolve } = bound(new Resources({ 'tenant:*': { capacity: 3 } }, coordinator));
    expect(resolve('storage')).toEqual({
      kind: 'undeclared',
      coordinator,
      lease: 15_000,
      maxHold: 3_600_000,
    });
  });

  it('does not take names of objects for resources', () => {
    const { resolve } = bound(new Resources({}, coordinator));
    for (const name of ['__proto__', 'constructor', 'toString'])
      expect(resolve(name).kind).toBe('undeclared');
  });

  it('fills in what a declaration leaves out', () => {
    const { resolve } = bound(
      new Resources({ a: {}, b: { maxHold: false, lease: '5s' }, c: { rate: '6/m' } }, coordinator),
    );
    expect(resolve('a')).toMatchObject({
      kind: 'permits',
      capacity: undefined,
      lease: 15_000,
      maxHold: 3_600_000,
    });
    expect(resolve('b')).toMatchObject({ lease: 5_000, maxHold: Number.POSITIVE_INFINITY });
    expect(resolve('c')).toMatchObject({ kind: 'rate', rate: { limit: 6, per: 60_000, burst: 1 } });
  });

  it('tells what nobody has given a capacity from what was given 1', () => {
    const resources = new Resources({ bare: {}, one: { capacity: 1 } }, coordinator);
    const termsFor = (key: string, capacity?: number) => {
      const terms = termsOf(resources, permitLimit(key, capacity), { key, weight: 1 });
      return [terms.mutex, terms.capacity];
    };
    expect(['bare', 'undeclared', 'one'].map((name) => termsFor(name))).toEqual([
      [true, 1],
      [true, 1],
      [false, 1],
    ]);
    expect([termsFor('bare', 1), termsFor('undeclared', 3)]).toEqual([
      [false, 1],
      [false, 3],
    ]);
  });

  it('does not let an explicit undefined win over a default', () => {
    const { resolve } = bound(
      new Resources(
        {
          a: { capacity: undefined, lease: undefined, maxHold: undefined, rate: undefined, burst: undefined },
        },
        coordinator,
      ),
    );
    expect(resolve('a')).toMatchObject({
      kind: 'permits',
      capacity: undefined,
      lease: 15_000,
      maxHold: 3_600_000,
    });
  });

  it('keeps every name that a pattern matches apart', async () => {
    const locks = createLocks({ coordinator, clock, resources: { 'tenant:*': { capacity: 1 } } });
    const permits = [
      await locks.tryAcquire('tenant:a'),
      await locks.tryAcquire('tenant:b'),
      await locks.tryAcquire('tenant:a'),
    ];
    expect(permits.map((permit) => permit !== undefined)).toEqual([true, true, false]);
    await locks.close();
  });

  it('names what is declared, and the coordinators, once each', () => {
    const other = memoryCoordinator();
    const resources = new Resources(
      { a: {}, 'b:*': {}, c: { coordinator: other }, d: { coordinator: other } },
      coordinator,
    );
    expect(resources.names).toEqual(['a', 'c', 'd', 'b:*']);
    expect([...resources.coordinators]).toEqual([coordinator, other]);
  });
});

describe('rates', () => {
  it.each([
    ['100/m', { limit: 100, per: 60_000 }],
    ['50/s', { limit: 50, per: 1_000 }],
    ['10/500ms', { limit: 10, per: 500 }],
    ['1000/2h', { limit: 1_000, per: 7_200_000 }],
    ['1/1.5d', { limit: 1, per: 129_600_000 }],
  ] as const)('%s', (rate, expected) => {
    const resources = new Resources({ r: { rate, burst: 3 } }, coordinator);
    expect(resources.resolve('r').rate).toEqual({ ...expected, burst: 3 });
  });
});

describe('createLocks', () => {
  it.each([
    [{ coordinator: 7 }, /`coordinator`.*got 7/],
    [{ coordinator: {} }, /`coordinator`.*got an object/],
    [{ coordinator: 'redos://x' }, /redos:\/\/x/],
    [{ callTimeout: 'soon' }, /`callTimeout`.*got "soon"/],
    [{ abortGrace: -1 }, /`abortGrace`.*got -1/],
    [{ resources: 7 }, /`resources` to be an object, got 7/],
    [{ retries: 3 }, /no option `retries`/],
    [7, /`options` to be an object, got 7/],
  ])('rejects %j', (options, message) => {
    expect(messageOf(() => createLocks(options as never))).toMatch(message);
  });

  it('uses what LOCKKEEPER_COORDINATOR names, else the process', async () => {
    const before = process.env.LOCKKEEPER_COORDINATOR;
    try {
      process.env.LOCKKEEPER_COORDINATOR = 'nowhere://';
      expect(messageOf(() => createLocks())).toMatch(/nowhere:/);
      process.env.LOCKKEEPER_COORDINATOR = '';
      const [one, other] = [createLocks(), createLocks({ coordinator: 'memory:' })];
      const permit = await one.acquire('shared by name');
      expect(await other.tryAcquire('shared by name')).toBeUndefined();
      await permit.release();
      const opened = (url: string) => openCoordinator(url).coordinator;
      expect(opened('memory')).toBe(opened('memory:'));
      expect(opened('memory:other')).not.toBe(opened('memory:'));
    } finally {
      if (before === undefined) delete process.env.LOCKKEEPER_COORDINATOR;
      else process.env.LOCKKEEPER_COORDINATOR = before;
    }
  });
});

function bound(resources: Resources) {
  return { resolve: (name: string) => resources.resolve(name) };
}
