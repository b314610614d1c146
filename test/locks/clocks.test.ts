import { describe, expect, it } from 'vitest';
import { PermitLostError } from '../../src/errors.js';
import { createLocks } from '../../src/locks/create-locks.js';
import { margin } from '../../src/locks/lease.js';
import { memoryCoordinator } from '../../src/locks/memory.js';
import { ManualClock } from '../../src/testing/manual-clock.js';
import { fate, setUp } from './kit.js';

const lease = 9_000;
const usable = lease - margin(lease);
const hour = 3_600_000;

/** Its wall clock can be set. */
class Clocks extends ManualClock {
  #set = 0;

  override wall(): number {
    return super.wall() + this.#set;
  }

  /** As an administrator, or a time server, does; and for the monotonic clock, as a machine that was suspended. */
  setWall(ms: number): void {
    this.#set += ms;
  }
}

async function holding() {
  const clock = new Clocks();
  const { side } = setUp(clock);
  const alice = side();
  const permit = await alice.locks.acquire('storage', { lease });
  return { clock, alice, permit };
}

describe('a process that was suspended', () => {
  it('knows that its permit is lost before any timer has run', async () => {
    const { clock, alice, permit } = await holding();
    const { signal } = permit;
    clock.jump(usable);

    expect(permit.held).toBe(false);
    expect(() => permit.assertHeld()).toThrow(PermitLostError);
    expect(signal.reason).toMatchObject({ loss: 'deadline' });
    expect(alice.heard('permit.lost')).toMatchObject([{ cause: 'deadline' }]);
  });

  it('finds the signal aborted by looking at it', async () => {
    const { clock, permit } = await holding();
    clock.jump(usable);
    expect(permit.signal.aborted).toBe(true);
  });

  it('renews nothing that is lost when its timers run at last', async () => {
    const { clock, alice } = await holding();
    clock.jump(lease * 10);
    await clock.advance(lease);
    expect(alice.coordinator.count('renew')).toBe(0);
    expect(alice.heard('permit.lost')).toHaveLength(1);
  });

  it('renews at once when it was short enough', async () => {
    const { clock, alice, permit } = await holding();
    clock.jump(usable - 1);
    await clock.advance(0);
    expect(alice.coordinator.count('renew')).toBe(1);
    await clock.advance(lease * 2);
    expect(permit.held).toBe(true);
  });

  it('holds nothing any more when the next one holds it', async () => {
    const clock = new Clocks();
    const { side } = setUp(clock);
    const [alice, bob] = [side(), side()];
    const permit = await alice.locks.acquire('storage', { lease });
    clock.jump(lease);
    const next = await bob.locks.acquire('storage', { lease, waitTimeout: 0 });
    expect(permit.held).toBe(false);
    expect(next.token).toBeGreaterThan(permit.token);
  });

  it('is told by the wall clock when the monotonic one stood still', async () => {
    const { clock, permit } = await holding();
    clock.setWall(usable - 1);
    expect(permit.held).toBe(true);
    clock.setWall(1);
    expect(permit.held).toBe(false);
    expect(() => permit.assertHeld()).toThrow(PermitLostError);
  });

  it('is told so by the timer, too, as soon as that runs', async () => {
    const { clock, alice, permit } = await holding();
    const { signal } = permit;
    clock.setWall(lease);
    await clock.advance(lease / 3);
    expect(signal.reason).toMatchObject({ loss: 'deadline' });
    expect(alice.coordinator.count('renew')).toBe(0);
  });

  it('does not believe an acknowledgement that comes after all that time', async () => {
    const { clock, alice, permit } = await holding();
    alice.coordinator.next('renew', fate.slowReply(100));
    await clock.advance(lease / 3 + 50);
    clock.setWall(hour);
    await clock.advance(50);
    expect(permit.held).toBe(false);
    await clock.advance(lease);
    expect(permit.held).toBe(false);
  });
});

describe('a wall clock', () => {
  it('that is set back changes nothing', async () => {
    const { clock, alice, permit } = await holding();
    clock.setWall(-hour);
    await clock.advance(lease * 3);
    expect(permit.held).toBe(true);

    alice.coordinator.always(fate.down, 'renew');
    const last = alice.coordinator.log.findLast(({ step }) => step === 'renew')!.at;
    await clock.advance(last + usable - clock.now() - 1);
    expect(permit.held).toBe(true);
    await clock.advance(1);
    expect(permit.held).toBe(false);
  });

  it('that is set forward and back can only end a lease early', async () => {
    const { clock, alice, permit } = await holding();
    alice.coordinator.always(fate.down, 'renew');
    for (const ms of [hour, -hour, -hour, hour]) clock.setWall(ms);
    expect(permit.held).toBe(true);
    clock.setWall(-hour);
    await clock.advance(usable - 1);
    expect(permit.held).toBe(true);
    await clock.advance(1);
    expect(permit.held).toBe(false);
  });

  it('that is set forward ends the leases of that moment, and no later ones', async () => {
    const { clock, alice, permit } = await holding();
    clock.setWall(hour);
    expect(permit.held).toBe(false);
    await permit.release();

    const next = await alice.locks.acquire('storage', { lease });
    await clock.advance(lease * 3);
    expect(next.held).toBe(true);
  });

  it.each([-hour, hour])(
    'that was set by %i ms while a renewal was out never makes the lease longer',
    async (ms) => {
      const { clock, alice, permit } = await holding();
      alice.coordinator.next('renew', fate.slowReply(100));
      alice.coordinator.always(fate.down, 'renew');
      await clock.advance(lease / 3 + 50);
      clock.setWall(ms);
      await clock.advance(lease / 3 + usable - clock.now());
      expect(permit.held).toBe(false);
    },
  );
});

describe('a blocked event loop', () => {
  // In real time, and really blocked: a clock that is moved by hand has no timers that run too late.
  it('does not keep the holder from knowing: assertHeld throws right after, before any timer', async () => {
    const locks = createLocks({ coordinator: memoryCoordinator() });
    const permit = await locks.acquire('storage', { lease: 300 });
    let timers = 0;
    const timer = setInterval(() => timers++, 1);
    try {
      const end = performance.now() + 450;
      while (performance.now() < end);

      expect(() => permit.assertHeld()).toThrow(PermitLostError);
      expect(permit.held).toBe(false);
      expect(permit.signal.aborted).toBe(true);
      expect(timers).toBe(0);
    } finally {
      clearInterval(timer);
      await locks.close();
    }
  });

  it('does not end a lease that is longer than it', async () => {
    const locks = createLocks({ coordinator: memoryCoordinator() });
    const permit = await locks.acquire('storage', { lease: 3_000 });
    const end = performance.now() + 1_300;
    while (performance.now() < end);
    permit.assertHeld();
    await new Promise((resolve) => setTimeout(resolve, 200));
    permit.assertHeld();
    await locks.close();
  });
});
