import { describe, expect, it, vi } from 'vitest';
import { ConfigError, MaxHoldError, PermitLostError, PermitReleasedError } from '../../src/errors.js';
import { errorOf, fate, look, settle, settled, setUp, soon } from './kit.js';

const lease = 9_000;

describe('a permit', () => {
  it('names what is held', async () => {
    const { locks } = setUp().side();
    const permit = await locks.acquire('storage', { capacity: 5, weight: 3 });
    expect(permit).toMatchObject({ resource: 'storage', weight: 3, held: true });
    expect(permit.signal.aborted).toBe(false);
    expect(() => permit.assertHeld()).not.toThrow();
  });

  it('has a token that is larger than those of all earlier grants', async () => {
    const { side } = setUp();
    const [alice, bob] = [side(), side()];
    const tokens: bigint[] = [];
    for (const { locks } of [alice, bob, alice, bob]) {
      await using permit = await locks.acquire('storage');
      tokens.push(permit.token);
    }
    expect(new Set(tokens).size).toBe(4);
    expect(tokens).toEqual([...tokens].sort((a, b) => Number(a - b)));
  });

  it('has no token where the coordinator has none, and never a zero', async () => {
    const { locks } = setUp().side({ features: { fencing: false } });
    const permit = await locks.acquire('storage');
    expect(() => permit.token).toThrow(ConfigError);
    expect(() => permit.token).toThrow(/memory.*"storage"/);
    expect(permit.held).toBe(true);
  });

  it('is given back at the end of an `await using` block, however that is left', async () => {
    const { service, side } = setUp();
    const { locks } = side();
    const body = async () => {
      await using permit = await locks.acquire('storage');
      expect(permit.held).toBe(true);
      throw new Error('the body’s own');
    };
    await expect(body()).rejects.toThrow('the body’s own');
    expect(await look(service, 'storage')).toEqual({ holders: 0, waiting: 0 });
  });
});

describe('a released permit', () => {
  it('is not held, and says so', async () => {
    const { locks } = setUp().side();
    const permit = await locks.acquire('storage');
    const { signal } = permit;
    await permit.release();

    expect(permit.held).toBe(false);
    expect(() => permit.assertHeld()).toThrow(PermitReleasedError);
    expect(() => permit.assertHeld()).toThrow('"storage"');
    expect(signal.aborted).toBe(false);
    expect(permit.signal).toBe(signal);
  });

  it('is not held from the moment that release is called', async () => {
    const { clock, side } = setUp();
    const alice = side();
    const permit = await alice.locks.acquire('storage');
    alice.coordinator.next('exit', fate.slowRequest(1_000));
    const released = permit.release();
    expect(permit.held).toBe(false);
    expect(() => permit.assertHeld()).toThrow(PermitReleasedError);
    await clock.advance(1_000);
    await released;
  });

  it('may be released again, and takes nothing from the next holder', async () => {
    const { service, side } = setUp();
    const [alice, bob] = [side(), side()];
    const permit = await alice.locks.acquire('storage');
    await Promise.all([permit.release(), permit.release()]);
    const next = await bob.locks.acquire('storage');

    await permit.release();
    await permit[Symbol.asyncDispose]();
    await settle();

    expect(alice.coordinator.count('exit')).toBe(1);
    expect(next.held).toBe(true);
    expect(await look(service, 'storage')).toEqual({ holders: 1, waiting: 0 });
    expect(alice.heard('permit.released')).toHaveLength(1);
  });

  it('is not renewed, and not told lost by an answer that comes late', async () => {
    for (const late of ['kept', 'lost'] as const) {
      const { clock, side } = setUp();
      const alice = side();
      const permit = await alice.locks.acquire('storage', { lease });
      void permit.signal;
      alice.coordinator.next('renew', late === 'kept' ? fate.slowReply(2_000) : fate.slowRequest(2_000));
      await clock.advance(lease / 3 + 1);

      await permit.release();
      await clock.advance(lease * 2);

      expect(alice.coordinator.count('renew')).toBe(1);
      expect(permit.signal.aborted).toBe(false);
      expect(alice.told.map(({ event }) => event)).toEqual(['permit.granted', 'permit.released']);
    }
  });

  it('is given back to the coordinator though its deadline had passed, in case a renewal had been done', async () => {
    const { clock, service, side } = setUp();
    const alice = side();
    const permit = await alice.locks.acquire('storage', { lease });
    alice.coordinator.always(fate.replyLost(), 'renew');
    await clock.advance(lease - 450);
    expect(permit.held).toBe(false);
    expect((await look(service, 'storage')).holders).toBe(1);

    alice.coordinator.heal();
    await permit.release();

    expect((await look(service, 'storage')).holders).toBe(0);
    expect(alice.heard('permit.released')).toEqual([]);
  });
});

describe('a release', () => {
  it('does not reject when the coordinator is down, and is done when it is back', async () => {
    const { clock, service, side } = setUp();
    const alice = side();
    const permit = await alice.locks.acquire('storage', { lease });
    alice.coordinator.always(fate.down, 'exit');

    await permit.release();
    await clock.advance(5_000);
    expect((await look(service, 'storage')).holders).toBe(1);

    alice.coordinator.heal();
    await clock.advance(600);
    expect((await look(service, 'storage')).holders).toBe(0);
    expect(alice.heard('permit.releaseFailed')).toEqual([]);
  });

  it('is tried until the lease has lapsed by itself, and then told to have failed', async () => {
    const { clock, service, side } = setUp();
    const alice = side();
    const permit = await alice.locks.acquire('storage', { lease });
    alice.coordinator.always(fate.down, 'exit');
    await permit.release();

    await clock.advance(lease - 1);
    expect(alice.heard('permit.releaseFailed')).toEqual([]);
    await clock.advance(1_000);

    expect(alice.heard('permit.releaseFailed')).toMatchObject([{ resource: 'storage' }]);
    expect((await look(service, 'storage')).holders).toBe(0);
    expect(clock.next).toBeUndefined();
    expect(alice.coordinator.count('exit')).toBeLessThan(25);
  });

  it('outlasts a renewal that was done shortly before it', async () => {
    const { clock, service, side } = setUp();
    const alice = side();
    const permit = await alice.locks.acquire('storage', { lease });
    alice.coordinator.always(fate.replyLost(), 'renew');
    await clock.advance(8_000);
    alice.coordinator.always(fate.down, 'exit');
    await permit.release();
    await clock.advance(7_000);
    expect((await look(service, 'storage')).holders).toBe(1);

    alice.coordinator.heal();
    await clock.advance(600);
    expect((await look(service, 'storage')).holders).toBe(0);
  });

  it.each(['hangs', 'hangsAfterwards'] as const)('comes to an end when its call %s', async (how) => {
    const { clock, side } = setUp();
    const alice = side({ callTimeout: 1_000 });
    const permit = await alice.locks.acquire('storage', { lease });
    alice.coordinator.next('exit', fate[how]);

    const released = permit.release();
    expect(await settled(released)).toBe(false);
    await clock.advance(1_200);
    expect(await settled(released)).toBe(true);

    await clock.advance(1_000);
    expect(await look(alice.coordinator, 'storage')).toEqual({ holders: 0, waiting: 0 });
  });

  it('goes with all that are released while a call is out, in one', async () => {
    const { clock, service, side } = setUp();
    const alice = side();
    const permits = [];
    for (let i = 0; i < 50; i++) permits.push(await alice.locks.acquire(`account-${i}`, { lease }));
    alice.coordinator.next('exit', fate.slowReply(100));

    const released = permits.map((permit) => permit.release());
    await clock.advance(100);
    await Promise.all(released);

    expect(alice.coordinator.count('exit')).toBe(2);
    for (let i = 0; i < 50; i++) expect((await look(service, `account-${i}`)).holders).toBe(0);
  });

  it('that fails does not fail those that left with it sooner than their own lease', async () => {
    const { clock, service, side } = setUp();
    const alice = side();
    const short = await alice.locks.acquire('short', { lease: 1_000 });
    const long = await alice.locks.acquire('long', { lease: 60_000 });
    alice.coordinator.next('exit', fate.timesOut(100));
    alice.coordinator.always(fate.down, 'exit');
    void (await alice.locks.acquire('other', { lease: 60_000 })).release();
    void short.release();
    void long.release();

    await clock.advance(10_000);
    expect(alice.heard('permit.releaseFailed')).toMatchObject([{ resource: 'short' }]);
    alice.coordinator.heal();
    await clock.advance(600);
    expect((await look(service, 'long')).holders).toBe(0);
  });

  it('is tried by one call at a time, however many wait for the coordinator to come back', async () => {
    const { clock, side } = setUp();
    const alice = side();
    const permits = [];
    for (let i = 0; i < 100; i++) permits.push(await alice.locks.acquire(`account-${i}`, { lease }));
    alice.coordinator.always(fate.timesOut(300), 'exit');
    for (const permit of permits) {
      void permit.release();
      await clock.advance(20);
    }
    await clock.advance(1_000);
    expect(alice.coordinator.most('exit')).toBe(1);
    alice.coordinator.heal();
    await clock.advance(1_000);
    expect(await look(alice.coordinator, 'account-99')).toEqual({ holders: 0, waiting: 0 });
  });
});

describe('closing', () => {
  it('gives back all that is held', async () => {
    const { clock, service, side } = setUp();
    const alice = side();
    for (let i = 0; i < 10; i++) await alice.locks.acquire(`account-${i}`);
    await alice.locks.close();
    for (let i = 0; i < 10; i++) expect((await look(service, `account-${i}`)).holders).toBe(0);
    expect(clock.next).toBeUndefined();
  });

  it('ends and leaves no timer when the coordinator is down', async () => {
    const { clock, side } = setUp();
    const alice = side();
    await alice.locks.acquire('storage');
    alice.coordinator.always(fate.down);
    await alice.locks.close();
    expect(clock.next).toBeUndefined();
    expect(alice.heard('permit.releaseFailed')).toMatchObject([{ resource: 'storage' }]);
  });

  it('tries once more what was released while the coordinator was down', async () => {
    const { service, side } = setUp();
    const alice = side();
    const permit = await alice.locks.acquire('storage');
    const other = await alice.locks.acquire('other');
    alice.coordinator.next('exit', fate.down);
    await permit.release();

    await alice.locks.close();

    expect((await look(service, 'other')).holders).toBe(0);
    expect((await look(service, 'storage')).holders).toBe(0);
    expect(other.held).toBe(false);
  });

  it('may be asked for twice', async () => {
    const { locks } = setUp().side();
    await locks.acquire('storage');
    await Promise.all([locks.close(), locks.close()]);
    await locks.close();
  });

  it('leaves nothing to renew when the coordinator was closed first', async () => {
    const { clock, service, side } = setUp();
    const alice = side();
    const permit = await alice.locks.acquire('storage', { lease });
    await service.close();
    expect(permit.held).toBe(true);
    await clock.advance(lease);
    expect(permit.held).toBe(false);
    expect(permit.signal.reason).toBeInstanceOf(PermitLostError);
    await permit.release();
    await alice.locks.close();
    expect(clock.next).toBeUndefined();
  });
});

it('of a process that died is neither renewed nor given back', async () => {
  const { clock, service, side } = setUp();
  const alice = side();
  const permit = await alice.locks.acquire('storage', { lease });
  alice.coordinator.next('exit', fate.down);
  await (await alice.locks.acquire('other', { lease })).release();

  alice.locks.kill();
  await permit.release();
  await clock.advance(lease - 1);

  expect(alice.coordinator.count('renew')).toBe(0);
  expect(alice.coordinator.count('exit')).toBe(1);
  expect((await look(service, 'storage')).holders).toBe(1);
  expect(clock.next).toBeUndefined();
});

describe('maxHold', () => {
  const maxHold = 20_000;
  const abortGrace = 3_000;

  async function holding(options: { abortGrace?: number } = {}) {
    const { clock, service, side } = setUp();
    const alice = side({ abortGrace: options.abortGrace ?? abortGrace });
    const permit = await alice.locks.acquire('storage', { lease, maxHold });
    return { clock, service, side, alice, permit };
  }

  it('tells the body to stop, though the lease is well', async () => {
    const { clock, alice, permit } = await holding();
    const { signal } = permit;
    await clock.advance(maxHold - 1);
    expect(signal.aborted).toBe(false);
    await clock.advance(1);
    expect(signal.reason).toBeInstanceOf(MaxHoldError);
    expect(signal.reason).toMatchObject({ resource: 'storage', maxHold });
    expect(permit.held).toBe(true);
    expect(alice.heard('permit.lost')).toEqual([]);

    await permit.release();
    await clock.advance(abortGrace * 2);
    expect(alice.heard('permit.abandoned')).toEqual([]);
  });

  it('takes the permit from a body that does not stop, and tells', async () => {
    const { clock, side, alice, permit } = await holding();
    const bob = side();
    const { signal } = permit;
    const next = bob.locks.acquire('storage', { waitTimeout: '1h' });
    await clock.advance(maxHold + abortGrace - 1);
    expect(permit.held).toBe(true);
    expect(await settled(next)).toBe(false);

    await clock.advance(1);

    expect(alice.heard('permit.abandoned')).toMatchObject([
      { resource: 'storage', at: maxHold + abortGrace },
    ]);
    expect(alice.heard('permit.lost')).toMatchObject([{ cause: 'max-hold' }]);
    expect(permit.held).toBe(false);
    expect(() => permit.assertHeld()).toThrow(PermitLostError);
    expect(() => permit.assertHeld()).toThrow(/maxHold/);
    expect(signal.reason).toBeInstanceOf(MaxHoldError);
    expect((await next).token).toBeGreaterThan(permit.token);
    await permit.release();
    expect((await next).held).toBe(true);
  });

  it('takes the permit away after a lease when the coordinator is down', async () => {
    const { clock, service, alice } = await holding();
    await clock.advance(maxHold + abortGrace - 1);
    alice.coordinator.always(fate.down);
    await clock.advance(lease + 1);
    expect((await look(service, 'storage')).holders).toBe(0);
  });

  it('may leave no grace', async () => {
    const { clock, alice } = await holding({ abortGrace: 0 });
    await clock.advance(maxHold + 1);
    expect(alice.heard('permit.abandoned')).toHaveLength(1);
  });

  it('still leaves the grace when the process was suspended past it', async () => {
    const { clock, side } = setUp();
    const alice = side({ abortGrace });
    const permit = await alice.locks.acquire('storage', { lease: '2h', maxHold });
    clock.jump(maxHold + abortGrace * 2);
    await clock.advance(1);
    expect(permit.held).toBe(true);
    expect(permit.signal.reason).toBeInstanceOf(MaxHoldError);
    await clock.advance(abortGrace);
    expect(permit.held).toBe(false);
  });

  it('is an hour unless told otherwise', async () => {
    const { clock, side } = setUp();
    const { locks } = side();
    const permit = await locks.acquire('storage');
    await clock.advance(3_600_000 - 1);
    expect(permit.signal.aborted).toBe(false);
    await clock.advance(1);
    expect(permit.signal.reason).toMatchObject({ maxHold: 3_600_000 });
  });

  it('may be none', async () => {
    const { clock, side } = setUp();
    const { locks } = side();
    const permit = await locks.acquire('storage', { maxHold: false });
    await clock.advance('3h');
    expect(permit.held).toBe(true);
    expect(permit.signal.aborted).toBe(false);
  });

  it('counts for each run of a chain anew', async () => {
    const { clock, side } = setUp();
    const [alice, bob] = [side({ abortGrace: 500 }), side()];
    const before = await bob.locks.acquire('storage');
    const coming = alice.locks.acquire('storage', { lease, maxHold: 900 });
    await settle();
    await before.release();
    const first = await coming;
    const second = alice.locks.acquire('storage', { lease, maxHold: 900 });
    await clock.advance(100);
    await first.release();
    const permit = await second;
    expect(permit.token).toBe(first.token);

    await clock.advance(899);
    expect(permit.signal.aborted).toBe(false);
    await clock.advance(1);
    expect(permit.signal.reason).toBeInstanceOf(MaxHoldError);
    expect(first.signal.aborted).toBe(false);
  });
});

describe('a listener of the signal', () => {
  it('may release the permit', async () => {
    const { clock, service, side } = setUp();
    const alice = side();
    const permit = await alice.locks.acquire('storage', { lease });
    permit.signal.addEventListener('abort', () => void permit.release());
    await service.evict(
      { resource: 'storage', id: (await service.inspect('storage', soon)).holders[0]!.id },
      soon,
    );
    await clock.advance(lease);
    expect(permit.held).toBe(false);
    expect(() => permit.assertHeld()).toThrow(PermitReleasedError);
  });
});

describe('a listener of events', () => {
  it('that throws harms nobody', async () => {
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const { clock, side } = setUp();
    const alice = side();
    for (const name of ['permit.granted', 'permit.atRisk', 'permit.lost', 'permit.renewFailed'] as const) {
      alice.locks.events.on(name, () => {
        throw new Error(`listener of ${name}`);
      });
      alice.locks.events.on(name, async () => {
        throw new Error(`listener of ${name}`);
      });
    }
    const permit = await alice.locks.acquire('storage', { lease });
    alice.coordinator.always(fate.down, 'renew');
    await clock.advance(lease);
    expect(permit.held).toBe(false);
    expect(warned).toHaveBeenCalled();
    warned.mockRestore();
  });
});

it('tells a permit that was lost from one that was released, even when both happened', async () => {
  const { clock, side } = setUp();
  const alice = side();
  const permit = await alice.locks.acquire('storage', { lease });
  alice.coordinator.always(fate.down, 'renew');
  await clock.advance(lease);
  expect(await errorOf((async () => permit.assertHeld())())).toBeInstanceOf(PermitLostError);
  await permit.release();
  expect(await errorOf((async () => permit.assertHeld())())).toBeInstanceOf(PermitReleasedError);
});

it('tells how long a direct call waited for it, and how long it was held', async () => {
  const { clock, side } = setUp();
  const { locks } = side();
  const told: unknown[] = [];
  locks.events.on('permit.acquired', (facts) => told.push(facts));
  locks.events.on('permit.released', (facts) => told.push(facts));
  const first = await locks.acquire('storage', { lease });
  const second = locks.acquire('storage', { lease });
  await clock.advance(2_000);
  await first.release();
  const { resource, weight } = await second;
  await clock.advance(500);
  await (await second).release();
  const third = await locks.tryAcquire('storage');

  const facts = { id: expect.any(String), resource, weight };
  expect(told).toEqual([
    { ...facts, waited: 0 },
    { ...facts, held: 2_000 },
    { ...facts, waited: 2_000 },
    { ...facts, held: 500 },
    { ...facts, waited: 0 },
  ]);
  await third!.release();
});
