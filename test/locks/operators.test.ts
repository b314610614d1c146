import { describe, expect, it } from 'vitest';
import { ConfigError, CoordinatorUnavailableError } from '../../src/errors.js';
import { createLocks } from '../../src/locks/create-locks.js';
import { errorOf, fate, settle, settled, setUp } from './kit.js';

const resource = 'storage';

describe('inspect', () => {
  it('shows capacity, who holds and who waits', async () => {
    const { clock, side } = setUp();
    const [alice, bob] = [side(), side()];
    const permit = await alice.locks.acquire(resource, { capacity: 2, weight: 2 });
    const waiting = bob.locks.acquire(resource, { capacity: 2 });
    await settle();

    const state = await alice.locks.inspect(resource);

    expect(state).toMatchObject({ resource, capacity: 2 });
    expect(state.holders).toMatchObject([
      { owner: alice.locks.owner, weight: 2, token: permit.token, since: clock.wall(), foreign: false },
    ]);
    expect(state.waiting).toMatchObject([{ owner: bob.locks.owner, weight: 1 }]);
    await permit.release();
    await waiting;
  });

  it('shows nothing of what nobody uses', async () => {
    const { locks } = setUp().side();
    expect(await locks.inspect(resource)).toEqual({ resource, holders: [], waiting: [] });
  });
});

describe('setCapacity', () => {
  it('counts for everybody, whatever they declare, until it is taken back', async () => {
    const { side } = setUp();
    const { locks } = side();
    await locks.setCapacity(resource, 2);
    const permits = [
      await locks.tryAcquire(resource),
      await locks.tryAcquire(resource),
      await locks.tryAcquire(resource),
    ];
    expect(permits.map((permit) => permit !== undefined)).toEqual([true, true, false]);
    expect((await locks.inspect(resource)).override).toMatchObject({ capacity: 2 });

    await locks.setCapacity(resource, undefined);
    await permits[0]!.release();
    expect(await locks.tryAcquire(resource)).toBeUndefined();
    await permits[1]!.release();
    expect(await locks.tryAcquire(resource)).toBeDefined();
  });

  it('raised lets those in who wait, at once', async () => {
    const { side } = setUp();
    const [alice, bob] = [side(), side()];
    await alice.locks.acquire(resource);
    const waiting = bob.locks.acquire(resource);
    expect(await settled(waiting)).toBe(false);
    await alice.locks.setCapacity(resource, 2);
    expect(await settled(waiting)).toBe(true);
  });

  it('lowered revokes nobody', async () => {
    const { side } = setUp();
    const { locks } = side();
    const permits = [
      await locks.acquire(resource, { capacity: 3 }),
      await locks.acquire(resource, { capacity: 3 }),
    ];
    await locks.setCapacity(resource, 1);
    expect(permits.map(({ held }) => held)).toEqual([true, true]);
    await permits[0]!.release();
    expect(await locks.tryAcquire(resource, { capacity: 3 })).toBeUndefined();
    await permits[1]!.release();
    expect(await locks.tryAcquire(resource, { capacity: 3 })).toBeDefined();
  });

  it('ends by itself when it is told to', async () => {
    const { clock, side } = setUp();
    const { locks } = side();
    await locks.setCapacity(resource, 2, { expiresIn: '5m' });
    await locks.acquire(resource);
    await clock.advance('5m');
    expect(await locks.tryAcquire(resource)).toBeUndefined();
  });

  it.each([
    [[0], /`capacity`.*got 0/],
    [[1.5], /`capacity`.*got 1.5/],
    [['3'], /`capacity`.*got "3"/],
    [[2, { expiresIn: 'soon' }], /`expiresIn`.*got "soon"/],
    [[2, { for: '5m' }], /no option `for`/],
  ])('rejects %j', async (given, message) => {
    const { locks } = setUp().side();
    const error = await errorOf(locks.setCapacity(resource, ...(given as [number])));
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.message).toMatch(message);
  });
});

describe('another capacity that somebody declares', () => {
  it('is told once a resource and process, with both numbers', async () => {
    const { side } = setUp();
    const [alice, bob] = [side(), side()];
    await alice.locks.acquire('a', { capacity: 3 });
    for (let i = 0; i < 5; i++) await (await bob.locks.acquire('a', { capacity: 2 })).release();
    await alice.locks.acquire('b', { capacity: 3 });
    await (await bob.locks.acquire('b', { capacity: 5 })).release();
    expect(bob.heard('capacity.mismatch')).toMatchObject([
      { resource: 'a', declared: 2, alsoDeclared: 3 },
      { resource: 'b', declared: 5, alsoDeclared: 3 },
    ]);
    expect(alice.heard('capacity.mismatch')).toEqual([]);
  });
});

describe('pause', () => {
  it('grants nothing for a time, to nobody, and takes nothing away', async () => {
    const { clock, service, side } = setUp();
    const [alice, bob] = [side(), side()];
    const permit = await alice.locks.acquire(resource, { capacity: 2 });
    await alice.locks.pause(resource, '30s', { reason: 'Retry-After' });
    expect(permit.held).toBe(true);
    expect(await bob.locks.tryAcquire(resource, { capacity: 2 })).toBeUndefined();
    const { paused } = await bob.locks.inspect(resource);
    expect(paused).toEqual({ until: clock.wall() + 30_000, reason: 'Retry-After' });
    const waiting = bob.locks.acquire(resource, { capacity: 2, waitTimeout: '1m' });
    await clock.advance('29s');
    expect(await settled(waiting)).toBe(false);
    await clock.advance('2s');
    expect((await waiting).held).toBe(true);
    expect((await service.inspect(resource, { timeout: 1 })).paused).toBeUndefined();
  });

  it('is ended by resume, and those who wait come in at once', async () => {
    const { side } = setUp();
    const [alice, bob] = [side(), side()];
    await alice.locks.pause(resource, '1h');
    const waiting = bob.locks.acquire(resource);
    expect(await settled(waiting)).toBe(false);
    await alice.locks.resume(resource);
    expect(await settled(waiting)).toBe(true);
  });

  it('rejects what is not a duration', async () => {
    const { locks } = setUp().side();
    const error = await errorOf(locks.pause(resource, 'a while' as never));
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.message).toMatch(/`duration`.*got "a while"/);
  });
});

describe('evict', () => {
  it('takes a permit from its holder, who is told, and lets the next one in', async () => {
    const { side } = setUp();
    const [alice, bob] = [side(), side()];
    const permit = await alice.locks.acquire(resource);
    const { signal } = permit;
    const waiting = bob.locks.acquire(resource);
    await settle();
    const { holders } = await bob.locks.inspect(resource);

    expect(await bob.locks.evict(resource, holders[0]!.id)).toBe(true);

    expect((await waiting).token).toBeGreaterThan(permit.token);
    await settle();
    expect(signal.reason).toMatchObject({ loss: 'not-owner' });
    expect(await bob.locks.evict(resource, holders[0]!.id)).toBe(false);
  });

  it('takes a place away, and whoever stood there comes to stand at the end', async () => {
    const { clock, side } = setUp();
    const [alice, bob, carol] = [side(), side(), side()];
    const held = await alice.locks.acquire(resource);
    const first = bob.locks.acquire(resource);
    await settle();
    const second = carol.locks.acquire(resource);
    await settle();
    const { waiting } = await alice.locks.inspect(resource);
    expect(await alice.locks.evict(resource, waiting[0]!.id)).toBe(true);
    await clock.advance('1s');
    await held.release();
    expect(await settled(second)).toBe(true);
    expect(await settled(first)).toBe(false);
    await (await second).release();
    expect((await first).held).toBe(true);
  });
});

describe('a change', () => {
  it('is told with its reason, to those who are in the process where it is made', async () => {
    const { side } = setUp();
    const [alice, bob] = [side(), side()];
    await alice.locks.acquire(resource);
    const [holder] = (await bob.locks.inspect(resource)).holders;
    const reason = 'ticket 12';
    await bob.locks.setCapacity(resource, 3, { expiresIn: '1m', reason });
    await bob.locks.setCapacity(resource, undefined);
    await bob.locks.pause(resource, '5s', { reason });
    await bob.locks.resume(resource, { reason });
    await bob.locks.evict(resource, 'nobody', { reason });
    await bob.locks.evict(resource, holder!.id, { reason });
    expect(bob.heard('resource.changed')).toMatchObject([
      { resource, reason, change: { kind: 'capacity', capacity: 3, expiresIn: 60_000 } },
      { resource, reason: undefined, change: { kind: 'capacity', capacity: undefined } },
      { resource, reason, change: { kind: 'pause', duration: 5_000 } },
      { resource, reason, change: { kind: 'resume' } },
      { resource, reason, change: { kind: 'evict', id: holder!.id } },
    ]);
    expect(alice.heard('resource.changed')).toEqual([]);
  });

  it('is not told when it is not known to be done', async () => {
    const alice = setUp().side();
    alice.coordinator.next('pause', fate.replyLost());
    const error = await errorOf(alice.locks.pause(resource, '5s'));
    expect(error).toBeInstanceOf(CoordinatorUnavailableError);
    expect(alice.heard('resource.changed')).toEqual([]);
  });

  it.each([
    ['setCapacity', [2, { reason: '' }]],
    ['pause', ['1s', { reason: 7 }]],
    ['resume', [{ why: 'x' }]],
    ['evict', ['x', { why: 'x' }]],
    ['evict', ['']],
  ] as const)('rejects what is no reason: %s %j', async (step, given) => {
    const { locks } = setUp().side();
    const error = await errorOf((locks as any)[step](resource, ...given));
    expect(error).toBeInstanceOf(ConfigError);
  });
});

describe('every call of an operator', () => {
  const calls = {
    inspect: (locks: any) => locks.inspect(resource),
    setCapacity: (locks: any) => locks.setCapacity(resource, 2),
    pause: (locks: any) => locks.pause(resource, '1s'),
    evict: (locks: any) => locks.evict(resource, 'x'),
  };

  it.each(Object.entries(calls))('ends when the coordinator does not answer: %s', async (step, call) => {
    const { clock, side } = setUp();
    const alice = side({ callTimeout: 500 });
    alice.coordinator.next(step as never, fate.hangs, fate.down);
    const error = errorOf(call(alice.locks));
    await clock.advance(600);
    expect(await error).toBeInstanceOf(CoordinatorUnavailableError);
    expect(await errorOf(call(alice.locks))).toBeInstanceOf(CoordinatorUnavailableError);
    await call(alice.locks);
  });

  it('goes to the coordinator that keeps the resource', async () => {
    const one = setUp().side();
    const other = setUp().side();
    const locks = createLocks({
      coordinator: one.coordinator,
      resources: { elsewhere: { coordinator: other.coordinator } },
    });
    for (const name of ['elsewhere', 'here']) {
      await locks.inspect(name);
      await locks.setCapacity(name, 2);
      await locks.pause(name, 5);
      await locks.resume(name);
      await locks.evict(name, 'x');
    }
    const steps = ['inspect', 'setCapacity', 'pause', 'pause', 'evict'];
    expect(one.coordinator.log.map(({ step, resources }) => [step, ...resources])).toEqual(
      steps.map((step) => [step, 'here']),
    );
    expect(other.coordinator.log.map(({ step, resources }) => [step, ...resources])).toEqual(
      steps.map((step) => [step, 'elsewhere']),
    );
  });
});
