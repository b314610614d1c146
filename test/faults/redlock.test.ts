import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import Redlock from 'redlock';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { enters, exit, hold, newId, renew, soon } from '../conformance/coordinator/kit.js';
import { useRedis } from '../support/servers/index.js';
import { until } from '../support/until.js';
import { Load } from './load.js';
import { lease, loadOptions, masterOptions, newName, type Side, startSide } from './redlock-stage.js';

const masters = [useRedis(masterOptions), useRedis(masterOptions), useRedis(masterOptions)];
const opened: { close(): unknown }[] = [];

afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close();
});

async function side(): Promise<Side> {
  const made = await startSide(masters);
  opened.push(made);
  return made;
}

const clients: Redis[] = [];
afterAll(() => {
  for (const client of clients) client.disconnect();
});
/** What a master really has. */
function client(i: number): Redis {
  clients[i] ??= new Redis(masters[i]!.url);
  return clients[i];
}

describe('of three masters', () => {
  it.each(['kill', 'freeze'] as const)(
    'one may %s: what is held is held on to, and all goes on',
    async (what) => {
      const [alice, bob] = [await side(), await side()];
      const load = new Load([alice.locks, bob.locks], [{ name: newName(), capacity: 1 }], loadOptions);
      const held = await alice.locks.acquire(newName());
      await load.goesOn();

      await masters[1]![what]();
      await load.goesOn();
      await sleep(lease);
      await load.goesOn();
      expect(held.held).toBe(true);

      if (what === 'kill') await masters[1]!.restart();
      else await masters[1]!.thaw();
      await load.goesOn();
      await load.end();
      expect(load.violations).toEqual([]);
      await held.release();
    },
  );

  it('one may be slow, for as long as the others are not', async () => {
    const [alice, bob] = [await side(), await side()];
    for (const { proxies } of [alice, bob]) proxies[2]!.delay(2_000);
    const load = new Load([alice.locks, bob.locks], [{ name: newName(), capacity: 1 }], loadOptions);
    await load.goesOn(undefined, 10, 10_000);
    await load.end();
    expect(load.violations).toEqual([]);
  });

  it('two have to answer: else it is unknown who holds, which is not the same as busy', async () => {
    const [alice, bob] = [await side(), await side()];
    const name = newName();
    const held = await hold(alice.coordinator, name, { lease });
    for (const { proxies } of [alice, bob]) for (const proxy of proxies.slice(1)) proxy.pause();

    await expect(enters(bob.coordinator, name, newId(), { lease })).rejects.toThrow(
      /unavailable.*did not answer/,
    );
    await expect(renew(alice.coordinator, name, held, lease)).rejects.toThrow(/unavailable/);
    await expect(exit(alice.coordinator, name, held)).rejects.toThrow(/unavailable/);
    await expect(bob.coordinator.inspect(name, { timeout: 500 })).rejects.toThrow(/unavailable/);

    for (const { proxies } of [alice, bob]) for (const proxy of proxies) proxy.resume();
    await until(() => enters(bob.coordinator, name, newId(), { lease }), 10_000);
  });

  it('each may have heard of another first: one of them is let in within 200 ms', async () => {
    const sides = await Promise.all([side(), side(), side()]);
    const warm = await Promise.all(
      sides.map(async ({ coordinator }) => {
        const name = newName();
        await exit(coordinator, name, await hold(coordinator, name, { lease }));
      }),
    );
    expect(warm).toHaveLength(3);
    for (const [i, { proxies }] of sides.entries()) {
      for (const [j, proxy] of proxies.entries()) proxy.delay(i === j ? 0 : 5);
    }
    const name = newName();
    const start = performance.now();
    const holders: string[] = [];
    let first = 0;
    await Promise.all(
      sides.map(async ({ coordinator }) => {
        const id = newId();
        await until(async () => {
          if (first > 0) return true;
          if (!(await enters(coordinator, name, id, { lease, line: false }))) return false;
          first ||= performance.now() - start;
          holders.push(id);
          return true;
        });
      }),
    );

    expect(holders).toHaveLength(1);
    expect(first).toBeLessThan(200);
  });

  it('one whose clock is ahead drops what it had: the others outvote it', async () => {
    const [alice, bob] = [await side(), await side()];
    const name = newName();
    const held = await hold(alice.coordinator, name, { lease });
    // What a jump of its clock does to a key.
    await client(0).del(name);

    expect(await enters(bob.coordinator, name, newId(), { lease })).toBe(false);
    expect(await renew(alice.coordinator, name, held, lease)).toBe('kept');
    expect(await enters(bob.coordinator, name, newId(), { lease })).toBe(false);
  });

  it('one whose clock stands still keeps what it had: the others outvote it', async () => {
    const [alice, bob] = [await side(), await side()];
    const name = newName();
    await hold(alice.coordinator, name, { lease });
    await client(0).persist(name);

    await until(() => enters(bob.coordinator, name, newId(), { lease: 10_000 }), 3 * lease);
    expect((await bob.coordinator.inspect(name, soon)).holders).toHaveLength(1);
  });

  it('one that thaws does what it was asked while it stood still, and undoes it', async () => {
    const [alice] = [await side()];
    const name = newName();
    await exit(alice.coordinator, newName(), await hold(alice.coordinator, name, { lease: 60_000 }));
    const other = newName();
    await masters[2]!.freeze();
    const held = await hold(alice.coordinator, other, { lease: 60_000 });
    await exit(alice.coordinator, other, held);
    await masters[2]!.thaw();

    await until(async () => (await client(2).exists(other)) === 0);
    expect(await Promise.all([0, 1].map((i) => client(i).exists(other)))).toEqual([0, 0]);
  });
});

describe('a clock of our own', () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  it('that jumps while it is asked makes the lease over before it begins, and what was granted is given back', async () => {
    const alice = await side();
    const warm = newName();
    await exit(alice.coordinator, warm, await hold(alice.coordinator, warm, { lease }));
    for (const proxy of alice.proxies) proxy.delay(20);
    const name = newName();
    const entering = enters(alice.coordinator, name, newId(), { lease });
    // Whatever is asked for is on its way, and nothing is answered yet.
    await new Promise((resolve) => setImmediate(resolve));
    const now = Date.now();
    vi.spyOn(Date, 'now').mockReturnValue(now + 3_600_000);

    await expect(entering).rejects.toThrow(/the lease was over when most had granted it/);

    await until(async () => {
      const left = await Promise.all(masters.map((_, i) => client(i).exists(name)));
      return left.every((there) => there === 0);
    });
  });
});

describe('the package redlock and us', () => {
  const theirs = () => {
    const own = masters.map(({ url }) => new Redis(url));
    opened.push(...own.map((one) => ({ close: () => one.disconnect() })));
    return new Redlock(own as never, { retryCount: 0 } as never, {} as never);
  };

  it('exclude each other', async () => {
    const [{ coordinator, locks }, redlock, name] = [await side(), theirs(), newName()];
    const permit = await locks.acquire(name);
    await expect(redlock.acquire([name], 10_000, { retryCount: 0 })).rejects.toThrow(/quorum/);
    await permit.release();

    const lock = await redlock.acquire([name], 10_000, { retryCount: 0 });
    expect(await locks.tryAcquire(name)).toBeUndefined();
    const { holders } = await coordinator.inspect(name, soon);
    expect(holders).toEqual([expect.objectContaining({ id: lock.value, foreign: true })]);
    const next = locks.acquire(name);
    await redlock.release(lock, { retryCount: 0 });
    await (await next).release();
  });

  it('may be told to let go by an operator', async () => {
    const [{ coordinator }, redlock, name] = [await side(), theirs(), newName()];
    const lock = await redlock.acquire([name], 10_000, { retryCount: 0 });
    expect(await coordinator.evict({ resource: name, id: lock.value }, soon)).toBe(true);
    expect(await enters(coordinator, name)).toBe(true);
  });
});
