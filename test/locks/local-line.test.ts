import { describe, expect, it } from 'vitest';
import { ConfigError, CoordinatorUnavailableError, LockTimeoutError } from '../../src/errors.js';
import type { Permit } from '../../src/locks/permit.js';
import { errorOf, fate, look, settle, settled, setUp, soon } from './kit.js';

const resource = 'storage';

/** Many runs of one process, each so long, and what they ran under. */
function runs(side: ReturnType<ReturnType<typeof setUp>['side']>, clock: ReturnType<typeof setUp>['clock']) {
  const all: { i: number; token: bigint; at: number }[] = [];
  const run = async (i: number, ms: number, options = {}) =>
    await side.locks.using(resource, { waitTimeout: '1h', ...options }, async ({ token }: Permit) => {
      all.push({ i, token, at: clock.now() });
      if (ms > 0) await new Promise<void>((resolve) => clock.after(ms, resolve));
    });
  return {
    all,
    start: (count: number, ms: number, options = {}) =>
      Promise.all(Array.from({ length: count }, (_, i) => run(i, ms, options))),
  };
}

describe('those of one process who wait', () => {
  it('keep one place in the coordinator’s line', async () => {
    const { clock, service, side } = setUp();
    const [alice, bob] = [side(), side()];
    const held = await bob.locks.acquire(resource);
    const waiting = runs(alice, clock).start(100, 0);
    await settle();
    expect(await look(service, resource)).toEqual({ holders: 1, waiting: 1 });
    const asked = alice.coordinator.count('enter');
    const later = runs(alice, clock).start(100, 0);
    await settle();
    expect(alice.coordinator.count('enter')).toBe(asked);
    await held.release();
    await clock.advance(5_000);
    await Promise.all([waiting, later]);
    expect(await look(service, resource)).toEqual({ holders: 0, waiting: 0 });
  });

  it('pass the permit on, without asking the coordinator for each', async () => {
    const { clock, side } = setUp();
    const alice = side();
    const { all, start } = runs(alice, clock);
    const held = await alice.locks.acquire(resource);
    const done = start(31, 0);
    await settle();
    const asked = alice.coordinator.count('enter');
    await held.release();
    await settle();
    await done;
    expect(new Set(all.map(({ token }) => token))).toEqual(new Set([held.token]));
    expect(alice.coordinator.count('enter')).toBe(asked);
  });

  it('pass it on 31 times at most, and then it is the next one’s in the line', async () => {
    const { clock, side } = setUp();
    const [alice, bob] = [side(), side()];
    const { all, start } = runs(alice, clock);
    const held = await alice.locks.acquire(resource);
    const bobs = bob.locks.using(resource, { waitTimeout: '1h' }, () => all.length);
    await settle();
    const done = start(100, 0);
    await settle();
    await held.release();
    await clock.advance(5_000);
    await done;

    expect(await bobs).toBe(31);
    const perGrant = new Map<bigint, number>();
    for (const { token } of all) perGrant.set(token, (perGrant.get(token) ?? 0) + 1);
    expect([...perGrant.values()]).toEqual([31, 32, 32, 5]);
    expect(all.map(({ i }) => i)).toEqual(Array.from({ length: 100 }, (_, i) => i));
  });

  it('pass it on for 120 ms at most, when it came to their place in the line', async () => {
    const { clock, side } = setUp();
    const [alice, bob] = [side(), side()];
    const { start, all } = runs(alice, clock);
    const before = await bob.locks.acquire(resource);
    const coming = alice.locks.acquire(resource);
    await settle();
    await before.release();
    const held = await coming;
    const bobs = bob.locks.using(resource, { waitTimeout: '1h' }, () => clock.now());
    await settle();
    const done = start(20, 50);
    await settle();
    await held.release();
    await clock.advance(20_000);
    await done;

    // Three runs of 50 ms: the last began within the 120 ms.
    expect(await bobs).toBe(150);
    expect(all.filter(({ token }) => token === held.token)).toHaveLength(3);
  });

  it('share out evenly what one process had first, within 60 ms and a body', async () => {
    const { clock, side } = setUp();
    const [alice, bob] = [side(), side()];
    const running = { a: 0, b: 0 };
    const many = (who: typeof alice, name: 'a' | 'b') =>
      Promise.all(
        Array.from({ length: 100 }, () =>
          who.locks.using(resource, { capacity: 10, waitTimeout: '1h' }, async () => {
            running[name]++;
            await new Promise<void>((resolve) => clock.after(20, resolve));
            running[name]--;
          }),
        ),
      );
    const done = [many(alice, 'a')];
    await settle();
    done.push(many(bob, 'b'));
    await settle();
    expect(running).toEqual({ a: 10, b: 0 });
    await clock.advance(90);
    expect(running).toEqual({ a: 5, b: 5 });
    await clock.advance(60_000);
    await Promise.all(done);
  });

  it('let one of another process in after every chain, however many they are', async () => {
    const { clock, side } = setUp();
    const [alice, bob] = [side(), side()];
    const order: string[] = [];
    const many = (who: typeof alice, name: string, count: number) =>
      Promise.all(
        Array.from({ length: count }, () =>
          who.locks.using(resource, { waitTimeout: '1h' }, async () => {
            order.push(name);
            await new Promise<void>((resolve) => clock.after(100, resolve));
          }),
        ),
      );
    const done = [many(alice, 'a', 60), many(bob, 'b', 60)];
    await clock.advance(60_000);
    await Promise.all(done);
    const longest = Math.max(...(order.join('').match(/a+|b+/g) ?? []).map(({ length }) => length));
    expect(longest).toBeLessThanOrEqual(10);
  });

  it('use all permits there are, not one after the other', async () => {
    const { clock, side } = setUp();
    const alice = side();
    let running = 0;
    let most = 0;
    const done = Promise.all(
      Array.from({ length: 50 }, () =>
        alice.locks.using(resource, { capacity: 10, waitTimeout: '1h' }, async () => {
          most = Math.max(most, ++running);
          await new Promise<void>((resolve) => clock.after(100, resolve));
          running--;
        }),
      ),
    );
    await clock.advance(10_000);
    await done;
    expect(most).toBe(10);
  });

  it('are served one after the other when they want different weights, the first first', async () => {
    const { clock, side } = setUp();
    const alice = side();
    const order: number[] = [];
    const held = await alice.locks.acquire(resource, { capacity: 3, weight: 3 });
    const weights = [1, 3, 2, 2, 1, 3, 1];
    const all = weights.map((weight, i) =>
      alice.locks.using(resource, { capacity: 3, weight, waitTimeout: '1h' }, async (permit) => {
        order.push(i);
        expect(permit.weight).toBe(weight);
        await new Promise<void>((resolve) => clock.after(50, resolve));
      }),
    );
    await settle();
    await held.release();
    await clock.advance(60_000);
    await Promise.all(all);
    expect(order).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });

  it('are not kept waiting for the weight of one who gave up', async () => {
    const { clock, side } = setUp();
    const [alice, bob] = [side(), side()];
    await bob.locks.acquire(resource, { capacity: 3, weight: 2, maxHold: false });
    const heavy = errorOf(alice.locks.acquire(resource, { capacity: 3, weight: 3, waitTimeout: 1_000 }));
    await settle();
    const light = alice.locks.acquire(resource, { capacity: 3, waitTimeout: '1h' });
    await clock.advance(999);
    expect(await settled(light)).toBe(false);
    await clock.advance(1);
    expect(await heavy).toBeInstanceOf(LockTimeoutError);
    expect((await light).held).toBe(true);
  });

  it('do not get the permit of one who came before them', async () => {
    const { clock, side } = setUp();
    const [alice, bob] = [side(), side()];
    const held = await bob.locks.acquire(resource);
    // The first is refused, gives up, and leaves the third first in line while the second's try is still out.
    alice.coordinator.next(
      'enter',
      fate.slowReply(100),
      fate.slowRequest(100),
      fate.ordinary,
      fate.slowRequest(1_000),
    );
    const order: string[] = [];
    const enough = new AbortController();
    const first = errorOf(alice.locks.acquire(resource, { signal: enough.signal }));
    const second = alice.locks.using(resource, () => order.push('second'));
    await clock.advance(150);
    // On terms of its own, so it does not take over the first one's place.
    const third = alice.locks.using(resource, { lease: '20s' }, () => order.push('third'));
    await settle();
    enough.abort(new Error('enough'));
    await first;
    await held.release();
    await clock.advance(5_000);
    await Promise.all([second, third]);
    expect(order).toEqual(['second', 'third']);
  });

  it('keep the place when the first of them gives up', async () => {
    const { clock, service, side } = setUp();
    const [alice, bob, carol] = [side(), side(), side()];
    const held = await bob.locks.acquire(resource);
    const first = errorOf(alice.locks.acquire(resource, { waitTimeout: 1_000 }));
    const second = alice.locks.acquire(resource, { waitTimeout: '1h' });
    await settle();
    const last = carol.locks.acquire(resource, { waitTimeout: '1h' });
    await clock.advance(1_000);
    expect(await first).toBeInstanceOf(LockTimeoutError);
    expect((await look(service, resource)).waiting).toBe(2);

    await held.release();
    expect(await settled(second)).toBe(true);
    expect(await settled(last)).toBe(false);
    await (await second).release();
    await (await last).release();
  });

  it('leave the line when the last of them gives up, also one that came when all others had', async () => {
    const { clock, service, side } = setUp();
    const [alice, bob] = [side(), side()];
    await bob.locks.acquire(resource, { maxHold: false });
    const first = errorOf(alice.locks.acquire(resource, { waitTimeout: 100 }));
    await clock.advance(100);
    const second = errorOf(alice.locks.acquire(resource, { waitTimeout: 100 }));
    await first;
    await clock.advance(100);
    await second;
    await settle();
    expect(await look(service, resource)).toEqual({ holders: 1, waiting: 0 });
    expect(alice.locks.waiting.size).toBe(0);
  });

  it('are not given a permit that was lost', async () => {
    const { clock, service, side } = setUp();
    const alice = side();
    const held = await alice.locks.acquire(resource, { lease: 900 });
    const next = alice.locks.acquire(resource, { lease: 900, waitTimeout: '1h' });
    await settle();
    const { holders } = await service.inspect(resource, soon);
    await service.evict({ resource, id: holders[0]!.id }, soon);
    await clock.advance(500);
    await held.release();
    const permit = await next;
    expect(permit.held).toBe(true);
    expect(permit.token).toBeGreaterThan(held.token);
  });

  it('are given a new permit when the chain’s was lost while it was passed on', async () => {
    const { clock, side } = setUp();
    const alice = side();
    const held = await alice.locks.acquire(resource, { lease: 900 });
    const next = alice.locks.acquire(resource, { lease: 900, waitTimeout: '1h' });
    await settle();
    clock.jump(900);
    await held.release();
    await clock.advance(1_000);
    expect((await next).token).toBeGreaterThan(held.token);
    expect((await next).held).toBe(true);
  });

  it('each have a handle of their own, and the finished one says that it is not held', async () => {
    const { side } = setUp();
    const alice = side();
    const first = await alice.locks.acquire(resource);
    const second = alice.locks.acquire(resource);
    await settle();
    await first.release();
    const permit = await second;
    expect([first.held, permit.held]).toEqual([false, true]);
    await first.release();
    expect(permit.held).toBe(true);
  });

  it('leave nothing behind when a permit comes at the moment the last gives up', async () => {
    const { clock, service, side } = setUp();
    const [alice, bob] = [side(), side()];
    const held = await bob.locks.acquire(resource);
    const error = errorOf(alice.locks.acquire(resource, { waitTimeout: 1_000 }));
    await settle();
    alice.coordinator.next('enter', fate.slowReply(500));
    await clock.advance(800);
    await held.release();
    await clock.advance(200);
    expect(await error).toBeInstanceOf(LockTimeoutError);
    expect((await look(service, resource)).holders).toBe(1);
    await clock.advance(300);
    expect(await look(service, resource)).toEqual({ holders: 0, waiting: 0 });
  });

  it('are told one by one what can never be granted', async () => {
    const { clock, service, side } = setUp();
    const [alice, bob] = [side(), side()];
    const held = await bob.locks.acquire(resource, { capacity: 3, weight: 3 });
    const heavy = [1, 2].map(() => errorOf(alice.locks.acquire(resource, { capacity: 3, weight: 3 })));
    const light = alice.locks.acquire(resource, { capacity: 3, weight: 1 });
    await settle();
    await service.setCapacity(resource, 2, soon);
    await clock.advance(2_000);
    for (const error of heavy) expect(await error).toBeInstanceOf(ConfigError);
    await held.release();
    await clock.advance(2_000);
    expect((await light).held).toBe(true);
  });

  it('do not stand there for ever when their coordinator was closed', async () => {
    const { clock, service, side } = setUp();
    const alice = side();
    await alice.locks.acquire(resource);
    const error = errorOf(alice.locks.acquire(resource));
    await settle();
    await service.close();
    await clock.advance(2_000);
    expect(await error).toMatchObject({ code: 'CLOSED' });
  });
});

it('holds capacity at every moment, whoever comes, goes, gives up and crashes', async () => {
  const { clock, service, side } = setUp();
  const sides = [side(), side(), side()];
  const capacity = 4;
  const held = new Set<Permit>();
  let most = 0;
  let random = 1;
  const next = (below: number) => {
    random = (random * 48_271) % 2_147_483_647;
    return random % below;
  };
  const used = () => [...held].filter((permit) => permit.held).reduce((sum, { weight }) => sum + weight, 0);
  const all: Promise<unknown>[] = [];
  for (let i = 0; i < 300; i++) {
    const { locks } = sides[next(3)]!;
    const weight = 1 + next(3);
    const ms = next(400);
    const run = locks.using(resource, { capacity, weight, waitTimeout: next(10_000) + 1 }, async (permit) => {
      held.add(permit);
      expect(permit.weight).toBe(weight);
      most = Math.max(most, used());
      expect(used()).toBeLessThanOrEqual(capacity);
      await new Promise<void>((resolve) => clock.after(ms, resolve));
      held.delete(permit);
    });
    all.push(
      run.catch((error) =>
        expect([LockTimeoutError, CoordinatorUnavailableError]).toContain(error.constructor),
      ),
    );
    await clock.advance(next(60));
  }
  await clock.advance(60_000);
  await Promise.all(all);
  expect(most).toBe(capacity);
  expect(await look(service, resource)).toEqual({ holders: 0, waiting: 0 });
});
