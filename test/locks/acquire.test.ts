import { describe, expect, it } from 'vitest';
import {
  BusyError,
  ClosedError,
  ConfigError,
  CoordinatorUnavailableError,
  LockTimeoutError,
  PermitReleasedError,
} from '../../src/errors.js';
import { scope } from '../../src/locks/scope.js';
import { errorOf, fate, look, settle, settled, setUp, soon } from './kit.js';

const mutex = 'storage';

describe('acquire', () => {
  it('serves first come, first served, over two processes', async () => {
    const { clock, side } = setUp();
    const [alice, bob] = [side(), side()];
    const order: number[] = [];
    const held = await alice.locks.acquire(mutex);
    const waiting = [];
    for (let i = 0; i < 6; i++) {
      const { locks } = i % 2 ? bob : alice;
      const turn = locks.acquire(mutex, { waitTimeout: '1h' }).then(async (permit) => {
        order.push(i);
        // Longer than a chain may last: each place is one grant.
        await new Promise<void>((resolve) => clock.after(1_500, resolve));
        await permit.release();
      });
      waiting.push(turn);
      await clock.advance(10);
    }
    await clock.advance(1_500);
    await held.release();
    await clock.advance(20_000);
    await Promise.all(waiting);
    // The even ones share one place in the line, and so do the odd ones: who is behind in a process is so in the line.
    expect(order).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it('serves first come, first served, within a process', async () => {
    const { clock, side } = setUp();
    const { locks } = side();
    const held = await locks.acquire(mutex);
    const order: number[] = [];
    const all = Array.from({ length: 100 }, (_, i) => locks.using(mutex, () => order.push(i)));
    await settle();
    await held.release();
    await clock.advance(5_000);
    await Promise.all(all);
    expect(order).toEqual(Array.from({ length: 100 }, (_, i) => i));
  });

  it('lets nobody in before those who came first, though their try was refused while another’s is granted', async () => {
    const { clock, service, side } = setUp();
    const [alice, bob] = [side(), side()];
    const held = await bob.locks.acquire(mutex);
    const order: string[] = [];
    // The second try arrives when the resource is free again, the first found it busy.
    alice.coordinator.next('enter', fate.slowReply(100), fate.slowReply(100));
    const first = alice.locks.using(mutex, () => order.push('first'));
    const second = alice.locks.using(mutex, () => order.push('second'));
    await clock.advance(50);
    await held.release();
    await clock.advance(5_000);
    await Promise.all([first, second]);
    expect(order).toEqual(['first', 'second']);
    expect(await look(service, mutex)).toEqual({ holders: 0, waiting: 0 });
  });

  it('waits for `waitTimeout`, then throws LockTimeoutError and has left the line', async () => {
    const { clock, service, side } = setUp();
    const [alice, bob] = [side(), side()];
    await bob.locks.acquire(mutex, { maxHold: false });
    const acquired = alice.locks.acquire(mutex, { waitTimeout: '5s' });
    const error = errorOf(acquired);
    await clock.advance(4_999);
    expect(await settled(acquired)).toBe(false);
    expect(await look(service, mutex)).toEqual({ holders: 1, waiting: 1 });
    await clock.advance(1);
    expect(await error).toBeInstanceOf(LockTimeoutError);
    expect(await error).toMatchObject({ resource: mutex, waited: 5_000, code: 'LOCK_TIMEOUT' });
    expect(await look(service, mutex)).toEqual({ holders: 1, waiting: 0 });
  });

  it('waits 30 s unless told otherwise', async () => {
    const { clock, side } = setUp();
    const [alice, bob] = [side(), side()];
    await bob.locks.acquire(mutex);
    const acquired = alice.locks.acquire(mutex);
    const error = errorOf(acquired);
    await clock.advance(29_999);
    expect(await settled(acquired)).toBe(false);
    await clock.advance(1);
    expect(await error).toMatchObject({ waited: 30_000 });
  });

  it('counts the time that the try took', async () => {
    const { clock, side } = setUp();
    const [alice, bob] = [side(), side()];
    await bob.locks.acquire(mutex);
    alice.coordinator.next('enter', fate.slowReply(900));
    const acquired = alice.locks.acquire(mutex, { waitTimeout: 1_000 });
    const error = errorOf(acquired);
    await clock.advance(1_000);
    expect(await error).toBeInstanceOf(LockTimeoutError);
  });

  it('does not wait at all when `waitTimeout` is 0', async () => {
    const { side } = setUp();
    const [alice, bob] = [side(), side()];
    await bob.locks.acquire(mutex);
    const error = await errorOf(alice.locks.acquire(mutex, { waitTimeout: 0 }));
    expect(error).toBeInstanceOf(BusyError);
    expect(error).toMatchObject({ resource: mutex });
    expect(error.retryAfter).toBeGreaterThan(0);
  });

  it('is called off by its signal, and leaves the line', async () => {
    const { service, side } = setUp();
    const [alice, bob] = [side(), side()];
    const held = await bob.locks.acquire(mutex);
    const enough = new AbortController();
    const acquired = alice.locks.acquire(mutex, { signal: enough.signal });
    const error = errorOf(acquired);
    await settle();
    expect((await look(service, mutex)).waiting).toBe(1);

    enough.abort(new Error('enough'));

    expect(await error).toMatchObject({ message: 'enough' });
    await settle();
    expect((await look(service, mutex)).waiting).toBe(0);
    await held.release();
    await settle();
    expect(await look(service, mutex)).toEqual({ holders: 0, waiting: 0 });
  });

  it('does not begin when its signal has aborted already', async () => {
    const alice = setUp().side();
    const error = await errorOf(
      alice.locks.acquire(mutex, { signal: AbortSignal.abort(new Error('enough')) }),
    );
    expect(error).toMatchObject({ message: 'enough' });
    expect(alice.coordinator.count('enter')).toBe(0);
  });

  it.each([
    ['is granted after that', false],
    ['is refused after that', true],
  ])('is called off while the try is out, which %s', async (_, busy) => {
    const { clock, service, side } = setUp();
    const [alice, bob] = [side(), side()];
    if (busy) await bob.locks.acquire(mutex);
    alice.coordinator.next('enter', fate.slowReply(500));
    const enough = new AbortController();
    const acquired = alice.locks.acquire(mutex, { signal: enough.signal });
    const error = errorOf(acquired);
    await clock.advance(100);

    enough.abort(new Error('enough'));

    expect(await settled(acquired)).toBe(true);
    expect(await error).toMatchObject({ message: 'enough' });
    await clock.advance(500);
    expect(await look(service, mutex)).toEqual({ holders: busy ? 1 : 0, waiting: 0 });
  });

  it('gives up in time while the try is out, and holds nothing when that is granted', async () => {
    const { clock, service, side } = setUp();
    const alice = side();
    alice.coordinator.next('enter', fate.slowReply(500));
    const error = errorOf(alice.locks.acquire(mutex, { waitTimeout: 100 }));
    await clock.advance(100);
    expect(await error).toBeInstanceOf(CoordinatorUnavailableError);
    expect((await look(service, mutex)).holders).toBe(1);
    await clock.advance(500);
    expect((await look(service, mutex)).holders).toBe(0);
  });

  it('warns nobody of a leak when one signal is to stop many', async () => {
    const { side } = setUp();
    const { locks } = side();
    const warnings: string[] = [];
    const onWarning = (warning: Error) => warnings.push(warning.message);
    process.on('warning', onWarning);
    const enough = new AbortController();
    await locks.acquire(mutex);
    const all = Array.from({ length: 50 }, () => errorOf(locks.acquire(mutex, { signal: enough.signal })));
    await settle();
    enough.abort(new Error('enough'));
    expect((await Promise.all(all)).map(({ message }) => message)).toEqual(Array(50).fill('enough'));
    await settle();
    process.off('warning', onWarning);
    expect(warnings).toEqual([]);
  });

  it('asks again by itself when nobody wakes it', async () => {
    const { clock, side } = setUp();
    const [alice, bob] = [side(), side()];
    alice.coordinator.deaf = true;
    const held = await bob.locks.acquire(mutex);
    const acquired = alice.locks.acquire(mutex);
    await settle();
    await held.release();
    expect(await settled(acquired)).toBe(false);
    await clock.advance(1_000);
    expect((await acquired).held).toBe(true);
  });

  it('keeps its place while it waits, and asks no more than once a second for that', async () => {
    const { clock, service, side } = setUp();
    const [alice, bob, carol] = [side(), side(), side()];
    const held = await bob.locks.acquire(mutex, { maxHold: false });
    const acquired = alice.locks.acquire(mutex, { waitTimeout: '1h' });
    await settle();
    const asked = alice.coordinator.count('enter');
    for (let i = 0; i < 60; i++) {
      await clock.advance(1_000);
      expect((await look(service, mutex)).waiting).toBe(1);
    }
    expect(alice.coordinator.count('enter') - asked).toBeLessThanOrEqual(61);
    void carol.locks.acquire(mutex, { waitTimeout: '1h' }).then((permit) => permit.release());
    await settle();
    await held.release();
    await settle();
    await (await acquired).release();
  });

  it('takes over from a holder that died when its lease has ended', async () => {
    const { clock, side } = setUp();
    const [alice, bob] = [side(), side()];
    await bob.locks.acquire(mutex, { lease: 5_000 });
    bob.locks.kill();
    const acquired = alice.locks.acquire(mutex);
    await clock.advance(4_999);
    expect(await settled(acquired)).toBe(false);
    await clock.advance(1);
    expect((await acquired).held).toBe(true);
  });

  it('is not held up by a place whose process died for longer than three seconds', async () => {
    const { clock, side } = setUp();
    const [alice, bob, carol] = [side(), side(), side()];
    const held = await carol.locks.acquire(mutex);
    void bob.locks.acquire(mutex).catch(() => {});
    await settle();
    const acquired = alice.locks.acquire(mutex);
    await settle();
    bob.locks.kill();
    bob.coordinator.always(fate.hangs);
    await held.release();
    await clock.advance(3_000);
    expect((await acquired).held).toBe(true);
    const over = bob.locks.close();
    await clock.advance(40_000);
    await over;
  });

  it('is not held up by a place whose process died for longer than that one’s lease', async () => {
    const { clock, side } = setUp();
    const [alice, bob, carol] = [side(), side(), side()];
    const held = await carol.locks.acquire(mutex);
    const dead = errorOf(bob.locks.acquire(mutex, { lease: 1_000 }));
    await settle();
    const acquired = alice.locks.acquire(mutex);
    await settle();
    bob.coordinator.always(fate.hangs);
    await held.release();
    await clock.advance(999);
    expect(await settled(acquired)).toBe(false);
    await clock.advance(2);
    expect((await acquired).held).toBe(true);
    await clock.advance('1m');
    await dead;
  });

  it('gives no permit whose lease ended before the answer came', async () => {
    const { clock, service, side } = setUp();
    const alice = side({ callTimeout: 5_000 });
    alice.coordinator.next('enter', fate.slowReply(900), fate.slowReply(800), fate.slowReply(700));
    const acquired = alice.locks.acquire(mutex, { lease: 1_000 });
    await clock.advance(900 + 800);
    expect(await settled(acquired)).toBe(false);
    await clock.advance(1_000);
    const permit = await acquired;
    expect(permit.held).toBe(true);
    expect(alice.coordinator.count('enter')).toBe(3);
    expect(alice.heard('permit.lost')).toEqual([]);
    await permit.release();
    await settle();
    expect((await look(service, mutex)).holders).toBe(0);
  });

  it('rejects with ClosedError when its locks are closed, whether it waits, tries or has just begun', async () => {
    const { clock, service, side } = setUp();
    const [alice, bob] = [side(), side()];
    await bob.locks.acquire(mutex);
    const waiting = errorOf(alice.locks.acquire(mutex));
    await settle();
    alice.coordinator.next('enter', fate.slowReply(300), fate.slowReply(300));
    const trying = errorOf(alice.locks.acquire('other'));
    const tryAcquiring = errorOf(alice.locks.tryAcquire('another'));
    await settle();

    const closed = alice.locks.close();
    const late = errorOf(alice.locks.acquire('third'));
    await clock.advance(300);
    await closed;

    for (const error of [waiting, trying, tryAcquiring, late])
      expect(await error).toBeInstanceOf(ClosedError);
    expect(await errorOf(alice.locks.tryAcquire('fourth'))).toBeInstanceOf(ClosedError);
    for (const name of ['third', 'fourth']) expect(alice.coordinator.count('enter', name)).toBe(0);
    for (const name of ['other', 'another', 'third', 'fourth']) {
      expect(await look(service, name)).toEqual({ holders: 0, waiting: 0 });
    }
    expect(await look(service, mutex)).toEqual({ holders: 1, waiting: 0 });
  });

  it.each([
    [{ weight: 2 }, /weight of 2.*capacity is 1/],
    [{ weight: 0 }, /`locked\("storage"\) weight`.*whole number from 1 up, got 0/],
    [{ capacity: 1.5 }, /`locked\("storage"\) capacity`.*got 1.5/],
    [{ lease: '5 parsecs' }, /lease`.*got "5 parsecs"/],
    [{ lease: 0 }, /lease of 0 ms.*1 ms or more/],
    [{ maxHold: -1 }, /maxHold`.*got -1/],
    [{ waitTimeout: Number.NaN }, /`waitTimeout`.*got NaN/],
    [
      { timeout: 5 },
      /no option `timeout`.*`capacity`, `weight`, `waitTimeout`, `lease`, `maxHold`, `signal`/,
    ],
    [null, /`options` to be an object, got null/],
    ['5s', /`options` to be an object, got "5s"/],
  ])('rejects the options %j', async (options, message) => {
    const { locks } = setUp().side();
    const error = await errorOf(locks.acquire(mutex, options as never));
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.message).toMatch(message);
  });

  it.each([
    [7, '7'],
    [undefined, 'undefined'],
    [{}, 'an object'],
  ])('rejects %j for a resource', async (name, shown) => {
    const { locks } = setUp().side();
    for (const call of [
      () => locks.acquire(name as never),
      () => locks.tryAcquire(name as never),
      () => locks.using(name as never, () => {}),
      () => locks.inspect(name as never),
      () => locks.start(name as never),
    ]) {
      const error = await errorOf(call());
      expect(error).toBeInstanceOf(ConfigError);
      expect(error.message).toContain(`got ${shown}`);
    }
  });
});

describe('tryAcquire', () => {
  it('gives a permit when there is room, and nothing when there is none', async () => {
    const { service, side } = setUp();
    const [alice, bob] = [side(), side()];
    const permit = await alice.locks.tryAcquire(mutex);
    expect(permit?.held).toBe(true);
    expect(await bob.locks.tryAcquire(mutex)).toBeUndefined();
    expect(await look(service, mutex)).toEqual({ holders: 1, waiting: 0 });
  });

  it('does not get past those who wait', async () => {
    const { clock, side } = setUp();
    const [alice, bob] = [side(), side()];
    const options = { capacity: 3 };
    await alice.locks.acquire('pool', { ...options, weight: 2 });
    const waiting = bob.locks.acquire('pool', { ...options, weight: 2, waitTimeout: '5s' }).catch(() => {});
    await settle();
    expect(await alice.locks.tryAcquire('pool', options)).toBeUndefined();
    await clock.advance('5s');
    await waiting;
    expect((await alice.locks.tryAcquire('pool', options))?.held).toBe(true);
  });

  it('tells that the coordinator is unavailable from that it is busy', async () => {
    const alice = setUp().side();
    alice.coordinator.always(fate.down);
    expect(await errorOf(alice.locks.tryAcquire(mutex))).toBeInstanceOf(CoordinatorUnavailableError);
  });
});

describe('using', () => {
  it('gives what the body gives, and gives the permit back', async () => {
    const { service, side } = setUp();
    const { locks } = side();
    expect(await locks.using(mutex, () => 'done')).toBe('done');
    const held = await locks.using(mutex, { lease: '5s' }, async (permit) => permit.held);
    expect(held).toBe(true);
    expect((await look(service, mutex)).holders).toBe(0);
  });

  it.each([
    [
      'throws',
      () => () => {
        throw new Error('the body’s own');
      },
    ],
    [
      'rejects',
      () => async () => {
        throw new Error('the body’s own');
      },
    ],
  ])('passes on what the body %s, and gives the permit back', async (_, body) => {
    const { service, side } = setUp();
    const { locks } = side();
    await expect(locks.using(mutex, body())).rejects.toThrow('the body’s own');
    expect((await look(service, mutex)).holders).toBe(0);
  });

  it('keeps the body’s result though the permit was lost meanwhile', async () => {
    const { clock, service, side } = setUp();
    const alice = side();
    const result = alice.locks.using(mutex, async (permit) => {
      void permit.signal;
      await new Promise<void>((resolve) => clock.after(100, resolve));
      return permit.held ? 'held' : 'lost, and still a result';
    });
    await settle();
    const { holders } = await service.inspect(mutex, soon);
    await service.evict({ resource: mutex, id: holders[0]!.id }, soon);
    await clock.advance(100);
    expect(await result).toBe('lost, and still a result');
  });

  it.each(['down', 'hangs', 'broken'])('keeps the body’s result when the release %s', async (how) => {
    const { clock, side } = setUp();
    const alice = side();
    const unwell = how === 'down' ? fate.down : how === 'hangs' ? fate.hangs : fate.broken();
    alice.coordinator.always(unwell, 'exit');
    const result = alice.locks.using(mutex, () => 'done');
    await clock.advance(2_200);
    expect(await result).toBe('done');
  });

  it('does not begin the body when there is no permit', async () => {
    const { clock, side } = setUp();
    const { locks } = side();
    await locks.acquire(mutex);
    let began = false;
    const result = errorOf(
      locks.using(mutex, { waitTimeout: 10 }, () => {
        began = true;
      }),
    );
    await clock.advance(10);
    expect(await result).toBeInstanceOf(LockTimeoutError);
    expect(began).toBe(false);
  });

  it('wants a body', async () => {
    const { locks } = setUp().side();
    const error = await errorOf(locks.using(mutex, { lease: 5 } as never, undefined as never));
    expect(error.message).toMatch(/`body` to be a function, got undefined/);
  });
});

describe('code that holds a permit', () => {
  it('enters it again at no cost', async () => {
    const { side } = setUp();
    const alice = side();
    const { locks } = alice;
    await locks.using(mutex, async (outer) => {
      await locks.using(mutex, async (inner) => {
        const third = (await locks.tryAcquire(mutex))!;
        expect([inner.held, third.held, inner.token]).toEqual([true, true, outer.token]);
        expect(inner.signal).toBe(outer.signal);
        expect([inner.resource, inner.weight]).toEqual([mutex, 1]);
        inner.assertHeld();
        await third.release();
        await third.release();
        expect([third.held, inner.held, outer.held]).toEqual([false, true, true]);
        expect(() => third.assertHeld()).toThrow(PermitReleasedError);
      });
      expect(outer.held).toBe(true);
    });
    expect(alice.coordinator.count('enter')).toBe(1);
    expect(alice.coordinator.count('exit')).toBe(1);
  });

  it('enters again what it holds less of, and not what it holds more of', async () => {
    const { side } = setUp();
    const alice = side();
    const { locks } = alice;
    await locks.using('pool', { capacity: 5, weight: 2 }, async () => {
      await locks.using('pool', { capacity: 5, weight: 1 }, () => {});
      expect(alice.coordinator.count('enter')).toBe(1);
      await locks.using('pool', { capacity: 5, weight: 3 }, () => {});
      expect(alice.coordinator.count('enter')).toBe(2);
    });
  });

  it('does not enter another resource, or that of another coordinator, by it', async () => {
    const one = setUp().side();
    const other = setUp().side();
    await one.locks.using(mutex, async () => {
      await one.locks.using('other', () => {});
      await other.locks.using(mutex, () => {});
    });
    expect(one.coordinator.count('enter')).toBe(2);
    expect(other.coordinator.count('enter')).toBe(1);
  });

  it('has to acquire again when the body it was started in is over', async () => {
    const { side } = setUp();
    const [alice, bob] = [side(), side()];
    let later!: () => Promise<unknown>;
    await alice.locks.using(mutex, () => {
      const store = scope.getStore();
      later = () => scope.run(store!, () => alice.locks.acquire(mutex, { waitTimeout: 0 }));
    });
    const held = await bob.locks.acquire(mutex);
    expect(await errorOf(later())).toBeInstanceOf(BusyError);
    await held.release();
    await later();
    expect(alice.coordinator.count('enter')).toBe(3);
  });

  it('has to acquire again what it gave back, or lost', async () => {
    const { clock, side } = setUp();
    const alice = side();
    const { locks } = alice;
    await locks.using(mutex, async (outer) => {
      await outer.release();
      const again = await locks.acquire(mutex);
      expect(again.held).toBe(true);
      await again.release();
    });
    await locks.using(mutex, { lease: 1_000 }, async (outer) => {
      clock.jump(1_000);
      const again = await locks.acquire(mutex);
      expect([outer.held, again.held]).toEqual([false, true]);
      await again.release();
    });
    expect(alice.coordinator.count('enter')).toBe(4);
  });

  it('waits for others when it is not in a run', async () => {
    const { clock, side } = setUp();
    const [alice, bob] = [side(), side()];
    const held = await bob.locks.acquire('other');
    const result = alice.locks.using(mutex, () => alice.locks.using('other', () => 'both'));
    await clock.advance(1_000);
    expect(await settled(result)).toBe(false);
    await held.release();
    expect(await result).toBe('both');
  });

  it('only tries others in a run, unless it says how long to wait', async () => {
    const { clock, side } = setUp();
    const [alice, bob] = [side(), side()];
    const held = await bob.locks.acquire(mutex);
    await scope.run({ permits: [], inRun: true }, async () => {
      expect(await errorOf(alice.locks.acquire(mutex))).toBeInstanceOf(BusyError);
      expect(await errorOf(alice.locks.using(mutex, () => {}))).toBeInstanceOf(BusyError);
      const patient = alice.locks.using(mutex, { waitTimeout: '5s' }, () => 'done');
      await clock.advance(1_000);
      await held.release();
      expect(await patient).toBe('done');
      expect(await alice.locks.using(mutex, () => 'free')).toBe('free');
      const taken = await bob.locks.acquire(mutex);
      const nested = errorOf(alice.locks.using('other', () => alice.locks.acquire(mutex)));
      expect(await nested).toBeInstanceOf(BusyError);
      await taken.release();
    });
  });
});
