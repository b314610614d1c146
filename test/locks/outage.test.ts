import { describe, expect, it, vi } from 'vitest';
import { CoordinatorUnavailableError, LockTimeoutError } from '../../src/errors.js';
import { errorOf, fate, look, settle, settled, setUp } from './kit.js';

const resource = 'storage';

describe('an unavailable coordinator', () => {
  it.each([
    ['fails', fate.down],
    ['times out', fate.timesOut(2_000)],
    ['never ends its calls', fate.hangs],
  ])('that %s is told apart from a busy resource, after `waitTimeout`', async (_, unwell) => {
    const { clock, side } = setUp();
    const alice = side();
    alice.coordinator.always(unwell);
    const acquired = alice.locks.acquire(resource, { waitTimeout: '20s' });
    const error = errorOf(acquired);
    await clock.advance(19_999);
    expect(await settled(acquired)).toBe(false);
    await clock.advance(1);
    expect(await error).toBeInstanceOf(CoordinatorUnavailableError);
    expect(await error).toMatchObject({
      code: 'COORDINATOR_UNAVAILABLE',
      coordinator: 'memory',
      cause: expect.anything(),
    });
  });

  it.each([100, 2_000])('that never ends its first call is told apart after %i ms', async (waitTimeout) => {
    const { clock, side } = setUp();
    const alice = side();
    alice.coordinator.always(fate.hangs);
    const first = errorOf(alice.locks.acquire(resource, { waitTimeout }));
    const second = errorOf(alice.locks.acquire(resource, { waitTimeout }));
    await clock.advance(waitTimeout);
    expect(await first).toBeInstanceOf(CoordinatorUnavailableError);
    expect(await second).toBeInstanceOf(CoordinatorUnavailableError);
    expect((await first).message).toMatch(`no answer within ${waitTimeout} ms`);
  });

  it('that never ended a call in time leaves no line behind that others would have to join', async () => {
    const { clock, side } = setUp();
    const alice = side();
    alice.coordinator.next('enter', fate.hangs);
    const error = errorOf(alice.locks.acquire(resource, { waitTimeout: 100 }));
    await clock.advance('3s');
    await error;
    const wake = vi.spyOn(alice.coordinator, 'wake');
    await alice.locks.acquire(resource);
    expect(wake).not.toHaveBeenCalled();
  });

  it('is told at once to those who do not wait', async () => {
    const alice = setUp().side();
    alice.coordinator.always(fate.down);
    const error = await errorOf(alice.locks.acquire(resource, { waitTimeout: 0 }));
    expect(error).toBeInstanceOf(CoordinatorUnavailableError);
    expect(await errorOf(alice.locks.acquire(resource, { waitTimeout: 0 }))).toBeInstanceOf(
      CoordinatorUnavailableError,
    );
  });

  it('is told to those who do not wait though others of the process do', async () => {
    const { clock, side } = setUp();
    const alice = side();
    alice.coordinator.always(fate.down);
    const waiting = alice.locks.acquire(resource);
    await settle();
    expect(await errorOf(alice.locks.acquire(resource, { waitTimeout: 0 }))).toBeInstanceOf(
      CoordinatorUnavailableError,
    );
    alice.coordinator.heal();
    await clock.advance(1_000);
    await waiting;
  });

  it('is not told when it answered that the resource is busy', async () => {
    const { clock, side } = setUp();
    const [alice, bob] = [side(), side()];
    await bob.locks.acquire(resource);
    const first = errorOf(alice.locks.acquire(resource, { waitTimeout: '5s' }));
    await settle();
    const second = errorOf(alice.locks.acquire(resource, { waitTimeout: '4s' }));
    await clock.advance('5s');
    expect(await first).toBeInstanceOf(LockTimeoutError);
    expect(await second).toBeInstanceOf(LockTimeoutError);
  });

  it('is told when it went away while one waited', async () => {
    const { clock, side } = setUp();
    const [alice, bob] = [side(), side()];
    await bob.locks.acquire(resource);
    const error = errorOf(alice.locks.acquire(resource, { waitTimeout: '5s' }));
    await clock.advance('2s');
    alice.coordinator.always(fate.down);
    await clock.advance('3s');
    expect(await error).toBeInstanceOf(CoordinatorUnavailableError);
  });

  it('that comes back within the wait gives the permit after all', async () => {
    const { clock, side } = setUp();
    const alice = side();
    alice.coordinator.always(fate.down);
    const acquired = alice.locks.acquire(resource, { waitTimeout: '20s' });
    await clock.advance('15s');
    alice.coordinator.heal();
    await clock.advance('2s');
    expect((await acquired).held).toBe(true);
    expect(alice.heard('coordinator.unavailable')).toHaveLength(1);
    expect(alice.heard('coordinator.available')).toHaveLength(1);
  });

  it('that comes back is asked by everybody at once', async () => {
    const { clock, side } = setUp();
    const alice = side();
    alice.coordinator.always(fate.timesOut(400));
    const all = Array.from({ length: 50 }, (_, i) =>
      alice.locks.acquire(`account-${i}`).then(() => clock.now()),
    );
    await clock.advance('10s');
    alice.coordinator.always(fate.slowReply(400));
    await clock.advance('4s');
    const [back] = alice.told.filter(({ event }) => event === 'coordinator.available');
    // One got in with the question that found it back, the others with their own.
    expect(new Set(await Promise.all(all))).toEqual(new Set([back!.at, back!.at + 400]));
  });

  it('says itself why it did not answer in time', async () => {
    const { clock, side } = setUp();
    const alice = side();
    alice.coordinator.always(fate.timesOut(2_000));
    const error = errorOf(alice.locks.tryAcquire(resource));
    await clock.advance('2s');
    expect((await error).message).toMatch('scripted');
  });

  it('is asked by one at a time, on behalf of all, at growing intervals of a second at most', async () => {
    const { clock, side } = setUp();
    const alice = side();
    alice.coordinator.always(fate.timesOut(400));
    const all = Array.from({ length: 50 }, (_, i) =>
      alice.locks.acquire(`account-${i}`, { waitTimeout: '1h' }),
    );
    await clock.advance(401);
    const before = alice.coordinator.log.length;
    expect(alice.coordinator.count('enter')).toBe(50);

    let most = 0;
    const { enter } = alice.coordinator;
    let out = 0;
    alice.coordinator.enter = (request) => {
      most = Math.max(most, ++out);
      return enter.call(alice.coordinator, request).finally(() => out--);
    };
    await clock.advance('60s');

    expect(most).toBe(1);
    const probes = alice.coordinator.log.slice(before).filter(({ step }) => step === 'enter');
    const pauses = probes.slice(1).map(({ at }, i) => at - probes[i]!.at);
    // Each takes 400 ms to fail, and then there is a pause of up to a second, give or take a quarter.
    expect(Math.min(...pauses)).toBeGreaterThan(400);
    expect(Math.max(...pauses)).toBeLessThanOrEqual(400 + 1_250 + 1);
    expect(pauses.slice(5).every((pause) => pause >= 400 + 750)).toBe(true);

    alice.coordinator.heal();
    await clock.advance('3s');
    await Promise.all(all);
  });

  it('is asked once after a long silence, not by everybody who comes then', async () => {
    const { clock, side } = setUp();
    const alice = side();
    alice.coordinator.next('enter', fate.down);
    expect(await errorOf(alice.locks.tryAcquire(resource))).toBeInstanceOf(CoordinatorUnavailableError);
    await clock.advance('10m');
    alice.coordinator.always(fate.timesOut(1_000), 'enter');
    const all = Array.from({ length: 20 }, (_, i) => errorOf(alice.locks.tryAcquire(`account-${i}`)));
    await clock.advance('1s');
    await Promise.all(all);
    expect(alice.coordinator.count('enter')).toBe(2);
  });

  it('does not seem to be gone for longer because many calls failed with it', async () => {
    const { clock, side } = setUp();
    const alice = side();
    alice.coordinator.always(fate.down, 'enter');
    await Promise.all(Array.from({ length: 50 }, (_, i) => errorOf(alice.locks.tryAcquire(`account-${i}`))));
    expect(alice.heard('coordinator.unavailable')).toHaveLength(1);
    alice.coordinator.heal();
    await clock.advance(126);
    expect(await alice.locks.tryAcquire(resource)).toMatchObject({ held: true });
  });

  it('is not believed to be gone because of old calls, when it answers new ones', async () => {
    const { clock, side } = setUp();
    const alice = side();
    for (let i = 0; i < 10; i++) {
      alice.coordinator.next('enter', fate.timesOut(2_000));
      void alice.locks.tryAcquire(`old-${i}`).catch(() => {});
      await clock.advance(150);
    }
    await alice.locks.tryAcquire('new');
    await clock.advance(500);
    for (let i = 0; i < 10; i++) {
      expect(await alice.locks.tryAcquire(`new-${i}`)).toMatchObject({ held: true });
      await clock.advance(150);
    }
    expect(alice.heard('coordinator.unavailable')).toEqual([]);
  });

  it('is not believed to be gone because of an error of another kind', async () => {
    const { side } = setUp();
    const alice = side();
    alice.coordinator.next('enter', fate.broken());
    expect(await errorOf(alice.locks.tryAcquire(resource))).toMatchObject({ message: 'scripted' });
    expect(await alice.locks.tryAcquire(resource)).toMatchObject({ held: true });
    expect(alice.heard('coordinator.unavailable')).toEqual([]);
  });

  it('does not keep permits that are held from being used', async () => {
    const { clock, side } = setUp();
    const alice = side();
    const permit = await alice.locks.acquire(resource, { lease: '15s' });
    alice.coordinator.always(fate.down);
    await clock.advance('12.9s');
    expect(permit.held).toBe(true);
    alice.coordinator.heal();
    await clock.advance('1.3s');
    expect(permit.held).toBe(true);
    await permit.release();
  });

  it('leaves no rejection behind that nobody handles', async () => {
    const { clock, side } = setUp();
    const alice = side();
    const permit = await alice.locks.acquire(resource);
    for (const unwell of [
      fate.down,
      fate.hangs,
      fate.timesOut(5_000),
      fate.replyLost(5_000),
      fate.broken(),
    ]) {
      alice.coordinator.always(unwell);
      const waiting = [
        errorOf(alice.locks.acquire('other', { waitTimeout: '1s' })),
        errorOf(alice.locks.tryAcquire('other')),
      ];
      await clock.advance('3s');
      await Promise.all(waiting);
    }
    void permit.release();
    await clock.advance('1m');
  });
});

describe('a lost reply', () => {
  it.each([
    ['at once', fate.replyLost()],
    ['after the time-out', fate.replyLost(2_000)],
    ['never, for the call does not end', fate.hangsAfterwards],
  ])('to a try leaves no permit behind, when it is known %s', async (_, lost) => {
    const { clock, service, side } = setUp();
    const alice = side();
    alice.coordinator.next('enter', lost);
    const error = errorOf(alice.locks.tryAcquire(resource));
    await clock.advance(2_101);
    expect(await error).toBeInstanceOf(CoordinatorUnavailableError);
    await settle();
    expect(await look(service, resource)).toEqual({ holders: 0, waiting: 0 });
  });

  it('to a try leaves a permit until its lease ends, at the latest', async () => {
    const { clock, service, side } = setUp();
    const alice = side();
    alice.coordinator.always(fate.replyLost(), 'enter');
    alice.coordinator.always(fate.down, 'exit');
    await errorOf(alice.locks.tryAcquire(resource, { lease: '5s' }));
    await clock.advance(4_999);
    expect((await look(service, resource)).holders).toBe(1);
    await clock.advance(1);
    expect((await look(service, resource)).holders).toBe(0);
  });

  it('to a try of many leaves none of their permits behind', async () => {
    const { clock, service, side } = setUp();
    const alice = side();
    alice.coordinator.next('enter', fate.slowReply(10), fate.replyLost(10));
    const all = Array.from({ length: 20 }, () =>
      alice.locks.tryAcquire(resource, { capacity: 20 }).catch(() => undefined),
    );
    await clock.advance(20);
    expect((await Promise.all(all)).filter((permit) => permit)).toHaveLength(1);
    await settle();
    expect((await look(service, resource)).holders).toBe(1);
  });

  it('to one who waits is mended by asking again, and the place is kept', async () => {
    const { clock, service, side } = setUp();
    const [alice, bob, carol] = [side(), side(), side()];
    const held = await carol.locks.acquire(resource);
    alice.coordinator.next('enter', fate.ordinary, fate.replyLost());
    const first = alice.locks.acquire(resource);
    await settle();
    expect((await look(service, resource)).waiting).toBe(1);
    const second = bob.locks.acquire(resource);
    await clock.advance(500);

    expect((await look(service, resource)).waiting).toBe(2);
    await held.release();
    expect(await settled(first)).toBe(true);
    expect(await settled(second)).toBe(false);
    await (await first).release();
    expect((await second).held).toBe(true);
  });

  it('to one who waits never takes the permit away again that the next question was granted', async () => {
    const { clock, service, side } = setUp();
    const [alice, bob] = [side(), side()];
    // The try finds it busy, the place is granted at once, and nobody hears of it; nor can anything be given back now.
    const held = await bob.locks.acquire(resource);
    alice.coordinator.next('enter', fate.ordinary, fate.replyLost());
    alice.coordinator.next('exit', fate.down, fate.down);
    const acquired = alice.locks.acquire(resource);
    await held.release();
    await clock.advance(200);
    const permit = await acquired;

    const other = bob.locks.acquire(resource, { waitTimeout: '1h' });
    for (let i = 0; i < 20; i++) {
      await clock.advance(100);
      expect(permit.held).toBe(true);
      expect((await look(service, resource)).holders).toBe(1);
      expect(await settled(other)).toBe(false);
    }
    alice.coordinator.heal();
    await permit.release();
    expect((await other).token).toBeGreaterThan(permit.token);
  });

  it('to one who has given up waiting leaves neither permit nor place behind', async () => {
    for (const busy of [true, false]) {
      const { clock, service, side } = setUp();
      const [alice, bob] = [side(), side()];
      const held = await bob.locks.acquire(resource);
      alice.coordinator.next('enter', fate.ordinary, fate.replyLost(1_000));
      if (!busy) alice.coordinator.next('enter', fate.replyLost(1_000));
      const error = errorOf(alice.locks.acquire(resource, { waitTimeout: 500 }));
      await settle();
      if (!busy) await held.release();
      await clock.advance(500);
      await error;
      await clock.advance(1_000);
      expect(await look(service, resource)).toEqual({ holders: busy ? 1 : 0, waiting: 0 });
    }
  });
});

describe('a request that arrives late', () => {
  it('of a try that was given up leaves no permit behind', async () => {
    const { clock, service, side } = setUp();
    const alice = side();
    alice.coordinator.next('enter', fate.slowRequest(5_000));
    const error = errorOf(alice.locks.tryAcquire(resource));
    await clock.advance(2_100);
    expect(await error).toBeInstanceOf(CoordinatorUnavailableError);
    await clock.advance(2_900);
    await settle();
    expect(await look(service, resource)).toEqual({ holders: 0, waiting: 0 });
  });

  it('of one who has given up waiting leaves neither permit nor place behind', async () => {
    const { clock, service, side } = setUp();
    const [alice, bob] = [side(), side()];
    await bob.locks.acquire(resource);
    alice.coordinator.next('enter', fate.ordinary, fate.slowRequest(5_000));
    const error = errorOf(alice.locks.acquire(resource, { waitTimeout: '1s' }));
    await clock.advance('1s');
    expect(await error).toBeInstanceOf(LockTimeoutError);
    await clock.advance('4s');
    await settle();
    expect(await look(service, resource)).toEqual({ holders: 1, waiting: 0 });
  });

  it('of one who holds the permit by now takes nothing away, and after that leaves nothing behind', async () => {
    for (const keep of [true, false]) {
      const { clock, service, side } = setUp();
      const [alice, bob] = [side(), side()];
      const held = await bob.locks.acquire(resource);
      alice.coordinator.next('enter', fate.ordinary, fate.slowRequest(6_000));
      const acquired = alice.locks.acquire(resource);
      await settle();
      await held.release();
      await clock.advance('4s');
      const permit = await acquired;
      if (!keep) await permit.release();
      await clock.advance('2s');
      await settle();
      expect(await look(service, resource)).toEqual({ holders: keep ? 1 : 0, waiting: 0 });
      expect(permit.held).toBe(keep);
    }
  });
});
