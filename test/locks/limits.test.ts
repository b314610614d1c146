import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  BusyError,
  ConfigError,
  CoordinatorUnavailableError,
  LockTimeoutError,
  PermitLostError,
} from '../../src/errors.js';
import type { Lease } from '../../src/locks/lease.js';
import { type Limit, permitLimit, rateLimit } from '../../src/locks/limit.js';
import {
  allTerms,
  type EnterOptions,
  runUnder,
  sharesOf,
  tryAll,
  waitForAll,
} from '../../src/locks/limits.js';
import type { Locks } from '../../src/locks/locks.js';
import type { Permit } from '../../src/locks/permit.js';
import { errorOf, fate, look, settle, settled, setUp, soon } from './kit.js';

const resources = {
  a: { capacity: 1 },
  b: { capacity: 1 },
  c: { capacity: 1 },
  pool: { capacity: 3 },
  sms: { rate: '1/s' },
  mail: { rate: '1/s' },
  bulk: { rate: '100/s', burst: 10 },
} as const;

const rates = ['sms', 'mail', 'bulk'];
const permit = (name: string, options = {}) => permitLimit(name, undefined, options);
const limitOf = (name: string, options = {}) =>
  rates.includes(name) ? rateLimit(name, undefined, options) : permit(name, options);

function several() {
  const { clock, service, side: aSide } = setUp();
  const side = () => aSide({ resources });
  return { clock, service, side };
}

/** All that a task with these limits asks for. */
function termsFor(locks: Locks, ...limits: (string | Limit)[]) {
  const all = limits.map((limit) => (typeof limit === 'string' ? limitOf(limit) : limit));
  return allTerms(locks, all, sharesOf(locks, all, []));
}

let bookings = 0;

function options(more: Partial<EnterOptions> = {}): EnterOptions {
  return { claim: {}, booking: `booking-${bookings++}`, reach: () => 0, ...more };
}

function leasesOf(entry: Awaited<ReturnType<typeof tryAll>>): readonly Lease[] {
  expect(entry.kind).toBe('entered');
  return entry.kind === 'entered' ? entry.leases : [];
}

describe('all that a task asks for', () => {
  it('is ordered by name, permits first, starts last', () => {
    const { locks } = several().side();
    expect(termsFor(locks, 'sms', 'c', 'bulk', 'a', 'b').map(({ resource }) => resource)).toEqual([
      'a',
      'b',
      'c',
      'bulk',
      'sms',
    ]);
  });

  it('leaves out what is not limited, and takes a resource that is named twice once, at its heaviest', () => {
    const { locks } = several().side();
    const limits = [
      permit('pool'),
      permitLimit(() => null, undefined),
      permitLimit(() => 'pool', undefined, { weight: 3 }),
    ];
    const all = allTerms(locks, limits, sharesOf(locks, limits, []));
    expect(all.map(({ resource, weight }) => [resource, weight])).toEqual([['pool', 3]]);
  });
});

describe('tryAll', () => {
  it('takes all there are, in name order', async () => {
    const { service, side } = several();
    const { locks, coordinator } = side();
    const leases = leasesOf(await tryAll(locks, termsFor(locks, 'c', 'a', 'sms', 'b'), options()));
    expect(leases.map(({ resource }) => resource)).toEqual(['a', 'b', 'c']);
    expect(coordinator.log.map(({ step, resources }) => `${step} ${resources}`)).toEqual([
      'enter a',
      'enter b',
      'enter c',
      'book sms',
    ]);
    expect((await service.inspect('sms', soon)).rate?.nextStart).toBeGreaterThan(0);
  });

  it('asks for nothing where there is nothing to ask', async () => {
    const { locks, coordinator } = several().side();
    expect(await tryAll(locks, [], options())).toEqual({ kind: 'entered', leases: [] });
    expect(coordinator.log).toEqual([]);
  });

  it('says which limit refused, and gives back what it took before', async () => {
    const { service, side } = several();
    const [alice, bob] = [side(), side()];
    await bob.locks.acquire('b');
    const entry = await tryAll(alice.locks, termsFor(alice.locks, 'a', 'b', 'c', 'sms'), options());
    expect(entry).toMatchObject({ kind: 'busy', terms: { resource: 'b' }, retryAfter: expect.any(Number) });
    expect(await look(service, 'a')).toEqual({ holders: 0, waiting: 0 });
    expect(alice.coordinator.count('enter', 'c')).toBe(0);
    expect(alice.coordinator.count('book')).toBe(0);
  });

  it.each([
    ['permits and permits', 'b', 'a'],
    ['permits and a rate', 'b', 'sms'],
    ['permits and an exhausted rate', 'sms', 'b'],
    ['two rates', 'sms', 'mail'],
  ])('charges nothing when it is refused a thousand times: %s', async (_, exhausted, other) => {
    const { service, side } = several();
    const [alice, bob] = [side(), side()];
    if (rates.includes(exhausted)) await bob.locks.start(exhausted);
    else await bob.locks.acquire(exhausted);
    const before = JSON.stringify(await service.inspect(other, soon));
    const rateBefore = (await service.inspect(exhausted, soon)).rate;

    const all = termsFor(alice.locks, exhausted, other);
    for (let i = 0; i < 1_000; i++) {
      expect(['busy', 'beyond']).toContain((await tryAll(alice.locks, all, options())).kind);
    }

    const state = await service.inspect(other, soon);
    expect(state.holders).toEqual([]);
    expect(state.rate?.nextStart ?? 0).toBe(0);
    if (!rates.includes(other)) expect(JSON.parse(before).holders).toEqual([]);
    expect((await service.inspect(exhausted, soon)).rate).toEqual(rateBefore);
    // And whoever asks for the other alone is let in at once.
    expect((await tryAll(bob.locks, termsFor(bob.locks, other), options())).kind).toBe('entered');
  });

  it('books the farthest start of several rates, and charges the others when it is time', async () => {
    const { clock, service, side } = several();
    const { locks } = side();
    await locks.start('sms');
    const all = termsFor(locks, 'sms', 'bulk');
    const booked = options({ reach: () => 60_000 });
    expect(await tryAll(locks, all, booked)).toMatchObject({
      kind: 'later',
      after: 1_000,
      terms: { resource: 'sms' },
    });
    expect((await service.inspect('bulk', soon)).rate?.nextStart ?? 0).toBe(0);
    expect(await tryAll(locks, all, booked)).toMatchObject({ kind: 'later', after: 1_000 });
    await clock.advance(1_000);
    expect((await tryAll(locks, all, booked)).kind).toBe('entered');
    expect((await tryAll(locks, termsFor(locks, 'sms'), options())).kind).toBe('beyond');
  });

  it.each([
    ['sms', 'mail'],
    ['mail', 'sms'],
  ])('books the start that lies farther of two: %s', async (farther, nearer) => {
    const { service, side } = several();
    const { locks } = side();
    await locks.pause(farther, '20s');
    await locks.pause(nearer, '10s');
    const entry = await tryAll(locks, termsFor(locks, 'sms', 'mail'), options({ reach: () => 60_000 }));
    expect(entry).toMatchObject({ kind: 'later', after: 20_000, terms: { resource: farther } });
    expect((await service.inspect(nearer, soon)).rate?.booked ?? 0).toBe(0);
  });

  it('gives back the starts it charged when another refuses at the last moment', async () => {
    const { service, side } = several();
    const alice = side();
    const { locks } = alice;
    const { book } = alice.coordinator;
    // Between the question and the charge somebody else takes the start.
    alice.coordinator.book = async (request) => {
      if (request.resource === 'sms' && !request.dry) await service.book({ ...request, id: 'faster' });
      return await book.call(alice.coordinator, request);
    };
    const entry = await tryAll(locks, termsFor(locks, 'mail', 'sms'), options());
    expect(entry).toMatchObject({ kind: 'beyond', terms: { resource: 'sms' } });
    expect((await service.inspect('mail', soon)).rate?.nextStart ?? 0).toBe(0);
  });

  it('keeps the lease in hand when it is refused', async () => {
    const { service, side } = several();
    const [alice, bob] = [side(), side()];
    const { locks } = alice;
    const [inHand] = leasesOf(await tryAll(locks, termsFor(locks, 'a'), options()));
    await bob.locks.acquire('b');
    for (const exhausted of ['b', 'sms']) {
      if (exhausted === 'sms') await bob.locks.start('sms');
      const entry = await tryAll(locks, termsFor(locks, 'a', 'c', exhausted), options({ inHand: inHand! }));
      expect(['busy', 'beyond']).toContain(entry.kind);
      expect(inHand!.check()).toBe(true);
      expect(await look(service, 'a')).toEqual({ holders: 1, waiting: 0 });
      expect(await look(service, 'c')).toEqual({ holders: 0, waiting: 0 });
    }
  });

  it('uses the lease in hand, and asks for the others only', async () => {
    const { side } = several();
    const { locks, coordinator } = side();
    const [inHand] = leasesOf(await tryAll(locks, termsFor(locks, 'b'), options()));
    const leases = leasesOf(await tryAll(locks, termsFor(locks, 'a', 'b'), options({ inHand: inHand! })));
    expect(leases.map(({ resource }) => resource)).toEqual(['a', 'b']);
    expect(leases[1]).toBe(inHand);
    expect(coordinator.count('enter', 'b')).toBe(1);
  });

  it('does not use a lease in hand that is lost, or of another weight', async () => {
    const { clock, side } = several();
    const { locks } = side();
    const [lost] = leasesOf(await tryAll(locks, termsFor(locks, permit('a', { lease: '1s' })), options()));
    clock.jump('1s');
    const [fresh] = leasesOf(await tryAll(locks, termsFor(locks, 'a'), options({ inHand: lost! })));
    expect(fresh).not.toBe(lost);
    expect(fresh!.check()).toBe(true);

    const [light] = leasesOf(await tryAll(locks, termsFor(locks, 'pool'), options()));
    const [heavy] = leasesOf(
      await tryAll(locks, termsFor(locks, permit('pool', { weight: 2 })), options({ inHand: light! })),
    );
    expect(heavy).toMatchObject({ weight: 2 });
  });

  it('does what the limit says when the coordinator does not answer', async () => {
    for (const name of ['b', 'sms']) {
      const { clock, service, side } = several();
      const { locks, coordinator } = side();
      coordinator.always(fate.down, name === 'sms' ? 'book' : 'enter');
      for (const onUnavailable of ['requeue', 'fail', 'run'] as const) {
        const all = termsFor(locks, limitOf(name, { onUnavailable }), ...(name === 'sms' ? ['a'] : []));
        const entry = await tryAll(locks, all, options());
        if (onUnavailable === 'run')
          expect(leasesOf(entry).map(({ resource }) => resource)).toEqual(name === 'sms' ? ['a'] : []);
        else
          expect(entry).toMatchObject({
            kind: 'unavailable',
            terms: { resource: name },
            error: expect.any(CoordinatorUnavailableError),
          });
        if (name === 'sms' && onUnavailable !== 'run') expect((await look(service, 'a')).holders).toBe(0);
        await clock.advance('2s');
      }
    }
  });

  it('says what can never be granted', async () => {
    const { service, side } = several();
    const { locks } = side();
    const all = termsFor(locks, 'a', permit('pool', { weight: 3 }));
    await service.setCapacity('pool', 2, soon);
    expect(await tryAll(locks, all, options())).toMatchObject({
      kind: 'misconfigured',
      error: expect.any(ConfigError),
    });
    expect((await look(service, 'a')).holders).toBe(0);
  });

  it.each(['enter', 'book'] as const)(
    'keeps nothing when %s fails with an error that is none of these',
    async (step) => {
      const { service, side } = several();
      const { locks, coordinator } = side();
      if (step === 'enter') coordinator.next('enter', fate.ordinary);
      coordinator.next(step, fate.broken());
      const error = await errorOf(
        Promise.resolve(tryAll(locks, termsFor(locks, 'a', 'b', 'sms'), options())),
      );
      expect(error.message).toBe('scripted');
      await settle();
      expect((await look(service, 'a')).holders).toBe(0);
      expect((await look(service, 'b')).holders).toBe(0);
    },
  );
});

describe('waitForAll', () => {
  const never = new AbortController().signal;
  const patient = (more = {}) => ({ ...options(), patience: () => 30_000, signal: never, ...more });

  it('waits for each in name order, holding the earlier ones', async () => {
    const { service, side } = several();
    const [alice, bob] = [side(), side()];
    const [a, b] = [await bob.locks.acquire('a'), await bob.locks.acquire('b')];
    const entry = waitForAll(alice.locks, termsFor(alice.locks, 'b', 'c', 'a'), patient());
    await settle();
    expect(await look(service, 'a')).toEqual({ holders: 1, waiting: 1 });
    expect(await look(service, 'b')).toEqual({ holders: 1, waiting: 0 });
    expect(await look(service, 'c')).toEqual({ holders: 0, waiting: 0 });

    await a.release();
    await settle();
    expect(await look(service, 'b')).toEqual({ holders: 1, waiting: 1 });
    expect(await settled(entry)).toBe(false);
    await b.release();
    expect(leasesOf(await entry).map(({ resource }) => resource)).toEqual(['a', 'b', 'c']);
  });

  it('gives up after its patience with the one that did not come, and holds nothing', async () => {
    const { clock, service, side } = several();
    const [alice, bob] = [side(), side()];
    await bob.locks.acquire('b', { maxHold: false });
    const entry = waitForAll(alice.locks, termsFor(alice.locks, 'a', 'b', 'c'), patient());
    await clock.advance('29s');
    expect(await settled(entry)).toBe(false);
    expect((await look(service, 'a')).holders).toBe(1);
    await clock.advance('1s');
    expect(await entry).toMatchObject({ kind: 'busy', terms: { resource: 'b' } });
    for (const [name, holders] of [
      ['a', 0],
      ['b', 1],
      ['c', 0],
    ] as const) {
      expect(await look(service, name)).toEqual({ holders, waiting: 0 });
    }
    expect(alice.locks.waiting.size).toBe(0);
  });

  it('does not take what is granted after it gave up', async () => {
    const { clock, service, side } = several();
    const { locks, coordinator } = side();
    coordinator.next('enter', fate.slowReply(1_000));
    const entry = waitForAll(locks, termsFor(locks, 'a'), patient({ patience: () => 500 }));
    await clock.advance(1_000);
    expect(await entry).toMatchObject({ kind: 'busy' });
    await settle();
    expect(await look(service, 'a')).toEqual({ holders: 0, waiting: 0 });
  });

  it('gives up when it is told to', async () => {
    const { service, side } = several();
    const [alice, bob] = [side(), side()];
    await bob.locks.acquire('b');
    for (const before of [true, false]) {
      const stopping = new AbortController();
      if (before) stopping.abort();
      const entry = waitForAll(
        alice.locks,
        termsFor(alice.locks, 'a', 'b'),
        patient({ signal: stopping.signal }),
      );
      await settle();
      stopping.abort();
      expect(await entry).toMatchObject({ kind: 'busy' });
      await settle();
      expect(await look(service, 'a')).toEqual({ holders: 0, waiting: 0 });
      expect(await look(service, 'b')).toEqual({ holders: 1, waiting: 0 });
    }
  });

  it('starts with the lease in hand when that is the first in the order, and gives it up when it is not', async () => {
    const { service, side } = several();
    const { locks } = side();
    const [first] = leasesOf(await tryAll(locks, termsFor(locks, 'a'), options()));
    const leases = leasesOf(await waitForAll(locks, termsFor(locks, 'a', 'b'), patient({ inHand: first })));
    expect(leases[0]).toBe(first);
    for (const lease of leases) await lease.release();

    const [second] = leasesOf(await tryAll(locks, termsFor(locks, 'b'), options()));
    const others = leasesOf(await waitForAll(locks, termsFor(locks, 'a', 'b'), patient({ inHand: second })));
    expect(second!.check()).toBe(false);
    expect(others.every((lease) => lease.check())).toBe(true);
    expect((await look(service, 'b')).holders).toBe(1);
  });

  it('does what the limit says when the coordinator does not answer', async () => {
    for (const onUnavailable of ['requeue', 'fail', 'run'] as const) {
      const { clock, service, side } = several();
      const { locks, coordinator } = side();
      coordinator.next('enter', fate.ordinary);
      coordinator.always(fate.down, 'enter');
      const all = termsFor(locks, 'a', permit('b', { onUnavailable }));
      const entry = waitForAll(locks, all, patient());
      await settle();
      expect(await settled(entry)).toBe(onUnavailable !== 'requeue');
      await clock.advance('30s');
      if (onUnavailable === 'run')
        expect(leasesOf(await entry).map(({ resource }) => resource)).toEqual(['a']);
      else expect(await entry).toMatchObject({ kind: 'unavailable', terms: { resource: 'b' } });
      if (onUnavailable !== 'run') expect((await look(service, 'a')).holders).toBe(0);
    }
  });

  it('stays in line while the coordinator is away for a moment', async () => {
    const { clock, side } = several();
    const { locks, coordinator } = side();
    coordinator.always(fate.down, 'enter');
    const entry = waitForAll(locks, termsFor(locks, 'a', 'b'), patient());
    await clock.advance('10s');
    coordinator.heal();
    await clock.advance('2s');
    expect(leasesOf(await entry)).toHaveLength(2);
  });

  it('gives the permits back when the start under a rate is refused', async () => {
    const { service, side } = several();
    const [alice, bob] = [side(), side()];
    await bob.locks.start('sms');
    const entry = await waitForAll(alice.locks, termsFor(alice.locks, 'a', 'sms'), patient());
    expect(entry).toMatchObject({ kind: 'beyond', terms: { resource: 'sms' } });
    expect((await look(service, 'a')).holders).toBe(0);
  });

  it('cannot deadlock, whatever is asked for together', async () => {
    const names = ['a', 'b', 'c', 'pool'];
    const sets = fc.array(fc.uniqueArray(fc.constantFrom(...names), { minLength: 1, maxLength: 3 }), {
      minLength: 30,
      maxLength: 30,
    });
    await fc.assert(
      fc.asyncProperty(sets, fc.array(fc.nat(50), { minLength: 30, maxLength: 30 }), async (tasks, times) => {
        const { clock, service, side } = setUpOnce();
        const sides = [side(), side(), side()];
        const held = new Map<string, number>();
        const ends = tasks.map(async (wants, i) => {
          const { locks } = sides[i % 3]!;
          const leases = leasesOf(
            await waitForAll(locks, termsFor(locks, ...wants), patient({ patience: () => 3_600_000 })),
          );
          expect(leases).toHaveLength(wants.length);
          for (const name of wants) held.set(name, (held.get(name) ?? 0) + 1);
          for (const [name, count] of held) expect(count).toBeLessThanOrEqual(name === 'pool' ? 3 : 1);
          await new Promise<void>((resolve) => clock.after(times[i]!, resolve));
          for (const name of wants) held.set(name, held.get(name)! - 1);
          await Promise.all(leases.map((lease) => lease.release()));
        });
        // Nobody waits for longer than all the others together take, and what the clock says is not to be waited for.
        await clock.advance(30 * 51 + 1);
        await Promise.all(ends);
        for (const name of names) expect(await look(service, name)).toEqual({ holders: 0, waiting: 0 });
        for (const { locks } of sides) await locks.close();
      }),
      { numRuns: 50 },
    );
  });

  function setUpOnce() {
    return several();
  }
});

describe('runUnder', () => {
  const run = (locks: Locks, limits: Limit[], body: (permits: readonly Permit[]) => unknown = () => 'done') =>
    runUnder(locks, limits, [], body);

  it('runs the body with all permits, in name order, and gives them back', async () => {
    const { service, side } = several();
    const { locks } = side();
    const seen = await run(locks, [limitOf('b'), limitOf('sms'), limitOf('a')], async (permits) =>
      permits.map(({ resource, held }) => `${resource} ${held}`),
    );
    expect(seen).toEqual(['a true', 'b true']);
    for (const name of ['a', 'b']) expect((await look(service, name)).holders).toBe(0);
  });

  it('computes keys and weights from the arguments', async () => {
    const { locks } = several().side();
    const limit = permitLimit((name: string, _: number) => name, 5, {
      weight: (_: string, weight: number) => weight,
    });
    const seen = await runUnder(locks, [limit], ['reports', 4], ([permit]) => [
      permit!.resource,
      permit!.weight,
    ]);
    expect(seen).toEqual(['reports', 4]);
    const none = permitLimit(() => null, 5);
    expect(await runUnder(locks, [none], [], (permits) => permits)).toEqual([]);
  });

  it('waits in the fair line, then throws LockTimeoutError, and holds nothing', async () => {
    const { clock, service, side } = several();
    const [alice, bob] = [side(), side()];
    await bob.locks.acquire('b', { maxHold: false });
    const error = errorOf(
      run(alice.locks, [limitOf('a'), limitOf('b', { waitTimeout: '5s' }), limitOf('sms')]),
    );
    await clock.advance('5s');
    expect(await error).toBeInstanceOf(LockTimeoutError);
    expect(await error).toMatchObject({ resource: 'b', waited: 5_000 });
    expect((await look(service, 'a')).holders).toBe(0);
    expect(alice.coordinator.count('book')).toBe(0);
  });

  it.each(['skip', 'fail'] as const)('throws BusyError at once where the limit says %s', async (onBusy) => {
    const { service, side } = several();
    const [alice, bob] = [side(), side()];
    await bob.locks.acquire('b');
    await bob.locks.start('sms');
    const error = await errorOf(run(alice.locks, [limitOf('a'), limitOf('b', { onBusy })]));
    expect(error).toBeInstanceOf(BusyError);
    expect(error).toMatchObject({ resource: 'b' });
    expect(await errorOf(run(alice.locks, [limitOf('a'), limitOf('sms', { onBusy })]))).toMatchObject({
      resource: 'sms',
      code: 'BUSY',
    });
    expect((await look(service, 'a')).holders).toBe(0);
  });

  it.each([
    ['permits and permits', 'b', 'a'],
    ['permits and a rate', 'b', 'sms'],
    ['permits and an exhausted rate', 'sms', 'b'],
    ['two rates', 'sms', 'mail'],
    ['two rates, the other way round', 'mail', 'sms'],
  ])('charges nothing when it is refused a thousand times: %s', async (_, exhausted, other) => {
    const { service, side } = several();
    const [alice, bob] = [side(), side()];
    if (rates.includes(exhausted)) await bob.locks.start(exhausted);
    else await bob.locks.acquire(exhausted);
    let ran = 0;
    for (let i = 0; i < 1_000; i++) {
      const limits = [limitOf(exhausted, { onBusy: 'fail' }), limitOf(other, { onBusy: 'fail' })];
      expect(await errorOf(run(alice.locks, limits, () => ran++))).toMatchObject({
        code: 'BUSY',
        resource: exhausted,
      });
    }
    expect(ran).toBe(0);
    const state = await service.inspect(other, soon);
    expect(state.holders).toEqual([]);
    expect(state.rate?.nextStart ?? 0).toBe(0);
    expect(await run(bob.locks, [limitOf(other, { onBusy: 'fail' })])).toBe('done');
  });

  it('starts under several rates at the same moment, so that none is a burst later', async () => {
    const { clock, side } = several();
    const { locks } = side();
    const starts: { name: string; at: number }[] = [];
    await locks.pause('mail', '10s');
    const all = Array.from({ length: 5 }, () =>
      run(locks, [limitOf('sms', { waitTimeout: '1m' }), limitOf('mail', { waitTimeout: '1m' })], () =>
        starts.push({ name: 'both', at: clock.now() }),
      ),
    );
    await clock.advance('30s');
    await Promise.all(all);
    const times = starts.map(({ at }) => at);
    expect(times[0]).toBeGreaterThanOrEqual(10_000);
    for (let i = 1; i < times.length; i++) expect(times[i]! - times[i - 1]!).toBeGreaterThanOrEqual(1_000);
  });

  it('does what the limit says when the coordinator does not answer', async () => {
    for (const name of ['a', 'sms']) {
      const { clock, side } = several();
      const { locks, coordinator } = side();
      coordinator.always(fate.down, 'enter', 'book');
      expect(await run(locks, [limitOf(name, { onUnavailable: 'run' })])).toBe('done');
      expect(await errorOf(run(locks, [limitOf(name, { onUnavailable: 'fail' })]))).toBeInstanceOf(
        CoordinatorUnavailableError,
      );
      const waits = run(locks, [limitOf(name)]);
      await clock.advance('5s');
      expect(await settled(waits)).toBe(false);
      coordinator.heal();
      await clock.advance('2s');
      expect(await waits).toBe('done');
    }
  });

  it.each(['fail', 'run'] as const)(
    'does so, too, when the coordinator goes away while it waits: %s',
    async (onUnavailable) => {
      const { clock, side } = several();
      const [alice, bob] = [side(), side()];
      await bob.locks.acquire('a');
      const result = run(alice.locks, [limitOf('a', { onUnavailable })]).catch(({ code }) => code);
      await clock.advance('5s');
      expect(await settled(result)).toBe(false);
      alice.coordinator.always(fate.down, 'enter');
      await clock.advance('1s');
      expect(await settled(result)).toBe(true);
      expect(await result).toBe(onUnavailable === 'run' ? 'done' : 'COORDINATOR_UNAVAILABLE');
    },
  );

  it('passes on the body’s own error, and gives back all', async () => {
    const { service, side } = several();
    const { locks } = side();
    const error = await errorOf(
      run(locks, [limitOf('a')], async () => {
        throw new PermitLostError('somebody else’s', 'deadline');
      }),
    );
    expect(error).toMatchObject({ resource: 'somebody else’s' });
    expect((await look(service, 'a')).holders).toBe(0);
  });

  it('enters again at no cost what the calling code holds', async () => {
    const { side } = several();
    const { locks, coordinator } = side();
    const result = await run(locks, [limitOf('a')], () =>
      run(locks, [limitOf('a'), limitOf('b')], (permits) => permits.length),
    );
    expect(result).toBe(2);
    expect(coordinator.count('enter', 'a')).toBe(1);
  });

  it.each([
    [permitLimit('pool', undefined, { weight: 4 }), /weight of 4.*capacity is 3/],
    [permitLimit(() => 7 as never, undefined), /key function returns.*got 7/],
    [permitLimit('pool', undefined, { weight: () => 0 }), /weight for "pool".*got 0/],
    [permitLimit('sms', undefined), /"sms" is a rate: use `limited`/],
    [rateLimit('a', undefined), /"a" is a capacity: use `locked`/],
    [rateLimit('unknown', undefined), /"unknown" has no rate/],
    [rateLimit('sms', undefined, { cost: 2 }), /cost 2.*burst is 1/],
  ])('rejects what can never be granted: %#', async (limit, message) => {
    const { locks, coordinator } = several().side();
    const error = await errorOf(run(locks, [limit as Limit]));
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.message).toMatch(message);
    expect(coordinator.log).toEqual([]);
  });
});

describe('the options of a limit', () => {
  it.each([
    [() => permitLimit('a', 0), /`locked\("a"\) capacity`.*got 0/],
    [() => permitLimit(7 as never, 1), /`name`.*got 7/],
    [() => permitLimit('a', 1, { weight: 1.5 }), /`locked\("a"\) weight`.*got 1.5/],
    [
      () => permitLimit('a', 1, { onBusy: 'retry' as never }),
      /onBusy`.*'requeue' or 'skip' or 'wait' or 'fail', got "retry"/,
    ],
    [() => permitLimit('a', 1, { onLost: 'panic' as never }), /onLost`.*got "panic"/],
    [() => permitLimit('a', 1, { onUnavailable: 'wait' as never }), /onUnavailable`.*got "wait"/],
    [() => permitLimit('a', 1, { countdown: 'x' as never }), /countdown`.*got "x"/],
    [() => permitLimit('a', 1, { burst: 3 } as never), /no option `burst`/],
    [() => permitLimit(() => 'a', 1, { lease: -5 }), /`locked\(key function\) lease`.*got -5/],
    [() => rateLimit('a', '5/x' as never), /`limited\("a"\) rate`.*got "5\/x"/],
    [() => rateLimit('a', '5/s', { burst: 0 }), /`limited\("a"\) burst`.*got 0/],
    [() => rateLimit('a', undefined, { burst: 5 }), /`limited\("a"\)` has a burst but no rate/],
    [() => rateLimit('a', '5/s', { cost: 0 }), /`limited\("a"\) cost`.*got 0/],
    [() => rateLimit('a', '5/s', { weight: 2 } as never), /no option `weight`/],
  ])('are checked when they are given: %#', (make, message) => {
    expect(make).toThrow(ConfigError);
    expect(make).toThrow(message);
  });

  it('are never changed afterwards', () => {
    expect(Object.isFrozen(permitLimit('a', 1))).toBe(true);
    expect(Object.isFrozen(rateLimit('a', '5/s'))).toBe(true);
  });
});
