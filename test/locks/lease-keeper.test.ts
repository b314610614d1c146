import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Cancel } from '../../src/clock.js';
import { PermitLostError } from '../../src/errors.js';
import { margin } from '../../src/locks/lease.js';
import { permitLimit } from '../../src/locks/limit.js';
import { termsOf } from '../../src/locks/terms.js';
import { ManualClock } from '../../src/testing/manual-clock.js';
import { fate, look, settle, setUp, soon } from './kit.js';

const lease = 9_000;
const usable = lease - margin(lease);
/** A retry comes after so long, give or take a quarter. */
const step = 900;

/** Knows how many timers are set. */
class CountingClock extends ManualClock {
  timers = 0;

  override after(ms: number, callback: () => void): Cancel {
    let set = true;
    const unset = () => {
      if (set) this.timers--;
      set = false;
    };
    this.timers++;
    const cancel = super.after(ms, () => {
      unset();
      callback();
    });
    return () => {
      unset();
      cancel();
    };
  }
}

/** A holder of a mutex, and the times of its renewals since. */
async function holding(options: { lease?: number; look?: boolean } = {}) {
  const { clock, service, side } = setUp();
  const alice = side();
  const permit = await alice.locks.acquire('storage', { lease: options.lease ?? lease, maxHold: false });
  if (options.look !== false) void permit.signal;
  const renewals = () => alice.coordinator.log.filter((call) => call.step === 'renew').map(({ at }) => at);
  const id = (await service.inspect('storage', soon)).holders[0]!.id;
  return { clock, service, side, alice, permit, renewals, id };
}

describe('renewal', () => {
  it.each([50, 300, 1_000, 9_000, 3_600_000])('comes at every third of a lease of %i ms', async (lease) => {
    const { clock, renewals } = await holding({ lease });
    await clock.advance(lease * 2 + lease / 6);
    expect(renewals()).toHaveLength(6);
    for (const [i, at] of renewals().entries()) expect(at).toBeCloseTo(((i + 1) * lease) / 3, 1);
  });

  it('counts from when the last one was sent, however slow the answers are', async () => {
    const { clock, alice, permit, renewals } = await holding();
    alice.coordinator.next('renew', fate.slowReply(1_500));
    alice.coordinator.always(fate.down, 'renew');

    await clock.advance(3_000 + usable - 1);
    expect(renewals()[0]).toBe(3_000);
    expect(permit.held).toBe(true);
    await clock.advance(1);
    expect(permit.held).toBe(false);
  });

  it('is not late for slow answers', async () => {
    const { clock, alice, renewals } = await holding();
    alice.coordinator.always(fate.slowReply(1_500), 'renew');
    await clock.advance(60_000);
    const sent = renewals();
    for (let i = 1; i < sent.length; i++)
      expect(sent[i]! - sent[i - 1]!).toBeLessThanOrEqual(lease / 3 + 0.1);
    expect(alice.told.map(({ event }) => event)).toEqual(['permit.granted']);
  });

  it('is sent again every tenth of the lease, a second at most, until one is acknowledged', async () => {
    for (const [lease, step] of [
      [300, 30],
      [9_000, 900],
      [60_000, 1_000],
    ] as const) {
      const { clock, alice, permit, renewals } = await holding({ lease });
      alice.coordinator.always(fate.down, 'renew');
      await clock.advance(lease * 0.6);
      alice.coordinator.heal();
      await clock.advance(lease * 0.13);

      const sent = renewals();
      expect(sent[0]).toBeCloseTo(lease / 3, 1);
      for (let i = 1; i < sent.length; i++) {
        const pause = sent[i]! - sent[i - 1]!;
        expect(pause).toBeGreaterThanOrEqual(step * 0.75);
        expect(pause).toBeLessThanOrEqual(step * 1.25);
      }
      expect(sent.length).toBeGreaterThanOrEqual(3);
      await clock.advance(sent.at(-1)! + lease / 3 - clock.now() - 0.1);
      expect(renewals()).toHaveLength(sent.length);
      expect(permit.held).toBe(true);
    }
  });

  it('varies the pause between two tries, so that many who failed at once do not return at once', async () => {
    const pauses = new Set<number>();
    const { clock, alice, renewals } = await holding();
    alice.coordinator.always(fate.down, 'renew');
    await clock.advance(usable - 1);
    const sent = renewals();
    for (let i = 1; i < sent.length; i++) pauses.add(sent[i]! - sent[i - 1]!);
    expect(pauses.size).toBe(sent.length - 1);
  });

  it('survives any number of errors inside the lease', async () => {
    const { clock, alice, permit } = await holding();
    for (let round = 0; round < 20; round++) {
      alice.coordinator.always(round % 2 ? fate.down : fate.broken(), 'renew');
      await clock.advance(usable - lease / 3 - step * 1.25);
      alice.coordinator.heal();
      await clock.advance(lease / 3 + step * 1.25);
      expect(permit.held).toBe(true);
    }
    expect(alice.heard('permit.renewFailed').length).toBeGreaterThan(20);
    expect(alice.heard('permit.lost')).toEqual([]);
  });

  it.each([300, 9_000, 60_000])('survives calls that never end, inside a lease of %i ms', async (lease) => {
    const { clock, alice, permit, renewals } = await holding({ lease });
    for (let round = 0; round < 5; round++) {
      alice.coordinator.next('renew', fate.hangs, fate.hangs, fate.hangs);
      await clock.advance(lease);
    }
    expect(permit.held).toBe(true);
    expect(renewals().length).toBeGreaterThanOrEqual(10);
    expect(alice.heard('permit.lost')).toEqual([]);
  });

  it('survives calls that took effect and never end', async () => {
    const { clock, alice, permit } = await holding();
    for (let round = 0; round < 5; round++) {
      alice.coordinator.next('renew', fate.hangsAfterwards, fate.replyLost(2_000), fate.hangs, fate.down);
      await clock.advance(lease);
    }
    expect(permit.held).toBe(true);
  });

  it('counts an answer that comes late, but inside the lease', async () => {
    const { clock, alice, permit } = await holding();
    alice.coordinator.next('renew', fate.slowReply(4_000));
    alice.coordinator.always(fate.hangs, 'renew');

    await clock.advance(3_000 + 4_000);
    await clock.advance(3_000 + usable - 7_000 - 1);
    expect(permit.held).toBe(true);
    await clock.advance(1);
    expect(permit.held).toBe(false);
  });

  it('never moves the deadline back when an older answer comes after a newer', async () => {
    const { clock, alice, permit, renewals } = await holding();
    alice.coordinator.next('renew', fate.slowReply(5_000), fate.ordinary);
    alice.coordinator.always(fate.down, 'renew');
    await clock.advance(8_100);
    const acknowledged = renewals()[1]!;
    expect(acknowledged).toBeGreaterThan(3_000);

    await clock.advance(acknowledged + usable - clock.now() - 1);
    expect(permit.held).toBe(true);
    await clock.advance(1);
    expect(permit.held).toBe(false);
  });

  it.each([
    [300, 75],
    [9_000, 2_000],
  ])('of a lease of %i ms has %i ms to be answered', async (lease, timeout) => {
    const { clock, alice } = await holding({ lease });
    await clock.advance(lease / 2);
    expect(alice.coordinator.log.find(({ step }) => step === 'renew')).toMatchObject({ timeout });
  });

  it('is one call for all that are due at once', async () => {
    const { clock, side } = setUp();
    const alice = side();
    for (let i = 0; i < 100; i++) await alice.locks.acquire(`account-${i}`, { lease });

    await clock.advance(lease / 3);

    const renewals = alice.coordinator.log.filter((call) => call.step === 'renew');
    expect(renewals.map(({ ids }) => ids.length)).toEqual([100]);
  });

  it('renews a great many leases without an error', async () => {
    const { clock, side } = setUp();
    const alice = side();
    const many = 150_000;
    await alice.locks.acquire('all', { capacity: many, lease });
    const { keeper } = alice.locks.party({ coordinator: alice.coordinator });
    const terms = termsOf(alice.locks.settings.resources, permitLimit('all', many), {
      key: 'all',
      weight: 1,
    });
    for (let i = 0; i < many; i++) {
      keeper.keep(terms, { id: `${i}`, lease }, { now: clock.now(), wall: clock.wall() });
    }
    alice.coordinator.next('renew', fate.hangs);

    await clock.advance(lease / 3);

    expect(alice.coordinator.count('renew')).toBe(1);
  });
});

describe('risk', () => {
  it('is told once, when two thirds of the lease have passed unacknowledged', async () => {
    const { clock, alice, id } = await holding();
    alice.coordinator.always(fate.down, 'renew');

    await clock.advance((lease * 2) / 3 - 1);
    expect(alice.heard('permit.atRisk')).toEqual([]);
    await clock.advance(1);
    expect(alice.heard('permit.atRisk')).toMatchObject([{ resource: 'storage', id, left: usable - 6_000 }]);
    await clock.advance(1_000);
    expect(alice.heard('permit.atRisk')).toHaveLength(1);
  });

  it('is told again when it comes again', async () => {
    const { clock, alice } = await holding();
    for (let round = 0; round < 2; round++) {
      alice.coordinator.always(fate.down, 'renew');
      await clock.advance((lease * 2) / 3 + lease / 3);
      alice.coordinator.heal();
    }
    // The second round starts from a lease that was lost in the first, unless it was renewed between.
    expect(alice.heard('permit.atRisk').length).toBe(1);

    const again = await holding();
    for (let round = 0; round < 3; round++) {
      again.alice.coordinator.always(fate.down, 'renew');
      await again.clock.advance((lease * 2) / 3 + 100);
      again.alice.coordinator.heal();
      await again.clock.advance(step * 1.25);
    }
    expect(again.alice.heard('permit.atRisk')).toHaveLength(3);
  });

  it('is not told while renewals are acknowledged', async () => {
    const { clock, alice } = await holding();
    alice.coordinator.always(fate.slowReply(2_000), 'renew');
    await clock.advance(lease * 5);
    expect(alice.heard('permit.atRisk')).toEqual([]);
  });
});

const lengths = [50, 100, 300, 1_000, 2_000, 5_000, 15_000, 60_000, 600_000, 3_600_000];

describe('loss', () => {
  const ways = {
    'is cut off at once': [],
    'was renewed, and then was cut off': [fate.ordinary, fate.ordinary],
    'had its renewals done, and did not hear of it': [fate.ordinary, fate.replyLost(), fate.replyLost()],
    'had its calls hang': [fate.ordinary, fate.hangs, fate.hangsAfterwards],
  };

  describe.each(Object.entries(ways))('of a holder that %s', (_, fates) => {
    it.each(lengths)('comes before another gets in, with a lease of %i ms', async (lease) => {
      const { clock, side } = setUp();
      const [alice, bob] = [side(), side()];
      const permit = await alice.locks.acquire('storage', { lease, maxHold: false });
      alice.coordinator.next('renew', ...fates);
      alice.coordinator.always(fate.down, 'renew');
      let lostAt: number | undefined;
      permit.signal.addEventListener('abort', () => {
        lostAt = clock.now();
      });

      let gotAt: number | undefined;
      void bob.locks.acquire('storage', { lease, waitTimeout: '1d' }).then(() => {
        gotAt = clock.now();
        expect(permit.held, 'both hold it').toBe(false);
      });
      await clock.advance(lease * 3.2 + 2_000);

      expect(permit.signal.reason).toBeInstanceOf(PermitLostError);
      expect(permit.signal.reason).toMatchObject({
        resource: 'storage',
        loss: 'deadline',
        code: 'PERMIT_LOST',
      });
      expect(gotAt! - lostAt!).toBeGreaterThanOrEqual(margin(lease) - 0.001);
    });
  });

  it.each(lengths)('leaves a margin that suits a lease of %i ms', (lease) => {
    expect(margin(lease)).toBeLessThanOrEqual(lease / 4);
    expect(margin(lease)).toBeGreaterThanOrEqual(Math.min(lease / 4, 200));
    expect(margin(lease)).toBeGreaterThanOrEqual(lease * 0.05);
  });

  it('is told of once, and nothing is renewed after it', async () => {
    const { clock, alice, permit, id, renewals } = await holding();
    alice.coordinator.always(fate.down, 'renew');
    await clock.advance(usable);
    const sent = renewals().length;
    alice.coordinator.heal();
    await clock.advance(lease * 3);

    expect(alice.heard('permit.lost')).toMatchObject([{ resource: 'storage', id, cause: 'deadline' }]);
    expect(renewals()).toHaveLength(sent);
    expect(() => permit.assertHeld()).toThrow(PermitLostError);
  });

  it('comes at once when the coordinator says that it is not held any more', async () => {
    const { clock, service, alice, permit, id } = await holding({ look: false });
    await service.evict({ resource: 'storage', id }, soon);

    await clock.advance(lease / 3 - 1);
    expect(alice.heard('permit.lost')).toEqual([]);
    await clock.advance(1);

    expect(alice.heard('permit.lost')).toMatchObject([{ cause: 'not-owner', at: lease / 3 }]);
    expect(permit.signal.aborted).toBe(true);
    expect(permit.signal.reason).toMatchObject({ loss: 'not-owner' });
  });

  it.each([
    ['the signal', (permit: any) => permit.signal],
    ['held', (permit: any) => permit.held],
    ['assertHeld', (permit: any) => permit.assertHeld()],
  ])('of an evicted permit is pushed to a holder that has looked at %s', async (_, lookAt) => {
    const { clock, service, alice, permit, id } = await holding({ look: false });
    lookAt(permit);
    await service.evict({ resource: 'storage', id }, soon);
    await settle();

    expect(permit.held).toBe(false);
    expect(permit.signal.reason).toMatchObject({ loss: 'not-owner' });
    expect(alice.heard('permit.lost')).toMatchObject([{ at: clock.now(), cause: 'not-owner' }]);
  });

  it('of an evicted permit is pushed to everyone once it has been renewed', async () => {
    const { clock, service, alice, id } = await holding({ look: false });
    await clock.advance(lease / 3 + 1);
    await service.evict({ resource: 'storage', id }, soon);
    await settle();
    expect(alice.heard('permit.lost')).toMatchObject([{ at: lease / 3 + 1 }]);
  });

  it('is not believed of an eviction until the coordinator has been asked', async () => {
    const { service, alice, permit, id } = await holding();
    alice.coordinator.always(fate.down, 'renew');
    await service.evict({ resource: 'storage', id }, soon);
    await settle();
    expect(permit.held).toBe(true);
    alice.coordinator.heal();
  });

  it('stands, though a renewal is acknowledged after it', async () => {
    const { clock, alice, permit } = await holding();
    alice.coordinator.next('renew', fate.slowReply(usable));
    alice.coordinator.always(fate.down, 'renew');
    await clock.advance(usable);
    expect(permit.held).toBe(false);

    await clock.advance(lease);

    expect(permit.held).toBe(false);
    expect(() => permit.assertHeld()).toThrow(PermitLostError);
    expect(alice.heard('permit.lost')).toHaveLength(1);
  });

  it('stands, though an acknowledgement arrives before the timer that is late', async () => {
    const { clock, alice, permit } = await holding();
    let acknowledge!: () => void;
    alice.coordinator.renew = (permits) =>
      new Promise((resolve) => {
        acknowledge = () => resolve(new Map(permits.map(({ id }) => [id, 'kept'])));
      });
    await clock.advance(lease / 3);
    clock.jump(usable - lease / 3 + 1);
    acknowledge();
    await settle();
    expect(permit.held).toBe(false);
    expect(alice.heard('permit.lost')).toMatchObject([{ cause: 'deadline' }]);
  });

  it('of one permit leaves the others as they are', async () => {
    const { clock, service, side } = setUp();
    const alice = side();
    const permits = [];
    for (const name of ['a', 'b', 'c']) permits.push(await alice.locks.acquire(name, { lease }));
    const { holders } = await service.inspect('b', soon);
    await service.evict({ resource: 'b', id: holders[0]!.id }, soon);

    await clock.advance(lease * 2);

    expect(permits.map(({ held }) => held)).toEqual([true, false, true]);
  });

  it('happens to permits of all lengths, each at its own time', async () => {
    const { clock, side } = setUp();
    const alice = side();
    alice.coordinator.always(fate.down, 'renew');
    for (const lease of [9_000, 300, 60_000, 1_000]) await alice.locks.acquire(`for-${lease}`, { lease });

    await clock.advance(60_000);

    const told = alice.heard('permit.lost') as unknown as { at: number; resource: string }[];
    expect(told.map(({ resource }) => resource)).toEqual(['for-300', 'for-1000', 'for-9000', 'for-60000']);
    for (const { resource, at } of told) {
      const lease = Number(resource.slice(4));
      expect(at).toBeCloseTo(lease - margin(lease), 3);
    }
  });
});

describe('the timer', () => {
  it('is one for many leases, and gone when nothing is held', async () => {
    const clock = new CountingClock();
    const { side } = setUp(clock);
    const alice = side();
    const permits = [];
    for (let i = 0; i < 1_000; i++) permits.push(await alice.locks.acquire(`account-${i}`, { lease }));
    // The other one is for all questions that were asked.
    expect(clock.timers).toBe(2);
    await clock.advance(lease * 2);
    expect(clock.timers).toBe(1);

    for (const permit of permits) await permit.release();
    await alice.locks.close();
    expect(clock.timers).toBe(0);
  });

  it('is not set again for ever when nothing is held any more', async () => {
    const { clock, side } = setUp();
    const alice = side();
    const permit = await alice.locks.acquire('storage', { lease });
    await permit.release();
    await clock.advance(lease * 2);
    expect(clock.next).toBeUndefined();
    expect(alice.coordinator.count('renew')).toBe(0);
  });

  it('costs a permit that is given back within a third of its lease no call', async () => {
    const { clock, side } = setUp();
    const alice = side();
    for (let i = 0; i < 20; i++) {
      const permit = await alice.locks.acquire('storage', { lease });
      await clock.advance(lease / 4);
      await permit.release();
    }
    expect(alice.coordinator.count('renew')).toBe(0);
    expect(alice.coordinator.count('exit')).toBe(20);
  });
});

describe('fractions of a millisecond', () => {
  beforeEach(() => void vi.spyOn(Math, 'random').mockReturnValue(0.123456789));
  afterEach(() => void vi.restoreAllMocks());

  it.each([50.1, 99.9, 100 / 3, 333.333, 1_000 / 7])(
    'do not stop the clock at a lease of %f ms',
    async (lease) => {
      const { clock, side } = setUp();
      const alice = side();
      const permit = await alice.locks.acquire('storage', { lease });
      await clock.advance(0.1 + 1 / 3);
      await clock.advance(lease * 10.1);
      expect(permit.held).toBe(true);
      alice.coordinator.always(fate.down, 'renew');
      await clock.advance(lease * 10.1);
      expect(permit.held).toBe(false);
      expect(alice.heard('permit.lost')).toHaveLength(1);
      expect(await look(alice.coordinator, 'storage')).toEqual({ holders: 0, waiting: 0 });
    },
  );
});
