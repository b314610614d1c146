import { describe, expect, it } from 'vitest';
import type { Busy } from '../../src/locks/coordinator.js';
import type { Lease } from '../../src/locks/lease.js';
import { permitLimit } from '../../src/locks/limit.js';
import { type Terms, termsOf } from '../../src/locks/terms.js';
import { errorOf, fate, type Side, settle, setUp } from './kit.js';

const resource = 'storage';

function termsFor({ locks }: Side, capacity: number, weight = 1): Terms {
  return termsOf(locks.settings.resources, permitLimit(resource, capacity), { key: resource, weight });
}

describe('tries', () => {
  it('of a burst of 50 cost two calls', async () => {
    const { clock, side } = setUp();
    const alice = side();
    alice.coordinator.always(fate.slowReply(10), 'enter');
    const answers = Promise.all(
      Array.from({ length: 50 }, () => alice.locks.tryAcquire(resource, { capacity: 20 })),
    );
    await clock.advance(100);

    const permits = (await answers).filter((permit) => permit !== undefined);
    expect(permits).toHaveLength(20);
    expect(alice.coordinator.count('enter')).toBe(2);
    expect(alice.coordinator.most('enter')).toBe(1);
    expect(new Set(permits.map(({ token }) => token)).size).toBe(20);
  });

  it('are answered in the order in which they came', async () => {
    const { clock, side } = setUp();
    const alice = side();
    alice.coordinator.always(fate.slowReply(10), 'enter');
    const answers = Promise.all(
      Array.from({ length: 10 }, () => alice.locks.tryAcquire(resource, { capacity: 4 })),
    );
    await clock.advance(100);
    expect((await answers).map((permit) => permit !== undefined)).toEqual([
      ...Array(4).fill(true),
      ...Array(6).fill(false),
    ]);
  });

  it('of one resource are asked one after the other, whatever they want', async () => {
    const { clock, side } = setUp();
    const alice = side();
    alice.coordinator.always(fate.slowReply(10), 'enter');
    const answers = Promise.all(
      Array.from({ length: 30 }, (_, i) =>
        alice.locks.tryAcquire(resource, { capacity: 12, weight: 1 + (i % 3) }),
      ),
    );
    await clock.advance(1_000);
    expect(alice.coordinator.most('enter')).toBe(1);
    // One for the first, and one for each weight.
    expect(alice.coordinator.count('enter')).toBe(4);
    const weights = (await answers).reduce((sum, permit) => sum + (permit?.weight ?? 0), 0);
    expect(weights).toBe(12);
  });

  it('of several resources do not wait for each other', async () => {
    const { clock, side } = setUp();
    const alice = side();
    alice.coordinator.always(fate.slowReply(10), 'enter');
    const answers = Promise.all(Array.from({ length: 50 }, (_, i) => alice.locks.tryAcquire(`account-${i}`)));
    await clock.advance(10);
    expect((await answers).every((permit) => permit?.held)).toBe(true);
    expect(alice.coordinator.most('enter')).toBe(50);
  });

  it('ask for a hundred at a time, at most', async () => {
    const { clock, side } = setUp();
    const alice = side();
    alice.coordinator.always(fate.slowReply(10), 'enter');
    const answers = Promise.all(
      Array.from({ length: 301 }, () => alice.locks.tryAcquire(resource, { capacity: 250 })),
    );
    await clock.advance(100);
    expect(alice.coordinator.log.filter(({ step }) => step === 'enter').map(({ ids }) => ids.length)).toEqual(
      [1, 100, 100, 100],
    );
    expect((await answers).filter((permit) => permit)).toHaveLength(250);
  });

  it('of messages that were delivered before ask alone, for they may be refused for a reason of their own', async () => {
    const { clock, side } = setUp();
    const [alice, bob] = [side(), side()];
    const terms = termsFor(alice, 10);
    const earlier = (await bob.locks
      .party(termsFor(bob, 10))
      .try(termsFor(bob, 10), { id: 'earlier', message: 'm1' })) as Lease;
    alice.coordinator.always(fate.slowReply(10), 'enter');
    const party = alice.locks.party(terms);
    const answers = Promise.all([
      party.try(terms, { id: 'a' }),
      party.try(terms, { id: 'b', message: 'm1', redelivered: true }),
      party.try(terms, { id: 'c', message: 'm2', redelivered: true }),
      party.try(terms, { id: 'd' }),
      party.try(terms, { id: 'e' }),
    ]);
    await clock.advance(100);
    expect(alice.coordinator.log.map(({ ids }) => ids)).toEqual([['a'], ['b'], ['c'], ['d', 'e']]);
    const [, refused, ...others] = await answers;
    expect(refused).toMatchObject({ kind: 'busy', ownUntil: expect.any(Number) } satisfies Partial<Busy>);
    expect(others.every((answer) => !('kind' in answer))).toBe(true);
    await earlier.release();
  });

  it('reach all askers with an error', async () => {
    const { clock, side } = setUp();
    const alice = side();
    alice.coordinator.next('enter', fate.slowReply(10), fate.timesOut(10));
    const all = Array.from({ length: 10 }, () => alice.locks.tryAcquire(resource, { capacity: 10 }));
    const [first, ...rest] = all.map((answer, i) => (i === 0 ? answer : errorOf(answer)));
    await clock.advance(100);
    expect(await first).toMatchObject({ held: true });
    for (const error of await Promise.all(rest))
      expect(error).toMatchObject({ code: 'COORDINATOR_UNAVAILABLE' });
  });

  it('go on after an error', async () => {
    const { clock, side } = setUp();
    const alice = side();
    alice.coordinator.next('enter', fate.broken(), fate.broken());
    const failed = Array.from({ length: 5 }, () => errorOf(alice.locks.tryAcquire(resource)));
    await settle();
    expect((await Promise.all(failed)).map(({ message }) => message)).toEqual(Array(5).fill('scripted'));
    await clock.advance(1);
    expect(await alice.locks.tryAcquire(resource)).toMatchObject({ held: true });
  });

  it('are not kept waiting for ever by one that never ends', async () => {
    const { clock, side } = setUp();
    const alice = side({ callTimeout: 500 });
    alice.coordinator.next('enter', fate.hangs);
    const first = errorOf(alice.locks.tryAcquire(resource));
    const second = errorOf(alice.locks.tryAcquire(resource));
    await clock.advance(600);
    expect(await first).toMatchObject({
      code: 'COORDINATOR_UNAVAILABLE',
      message: expect.stringContaining('500 ms'),
    });
    expect(await second).toMatchObject({ code: 'COORDINATOR_UNAVAILABLE' });
    await clock.advance(200);
    expect(await alice.locks.tryAcquire(resource)).toMatchObject({ held: true });
  });

  it('remember nothing of a resource that nobody asks for', async () => {
    const { clock, side } = setUp();
    const alice = side();
    const timers = clock.next;
    for (let i = 0; i < 100; i++) await (await alice.locks.tryAcquire(`account-${i}`))!.release();
    await clock.advance('1m');
    expect(clock.next).toBe(timers);
  });
});
