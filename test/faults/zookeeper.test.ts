import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { enters, exit, hold, newId, renew, soon, standInLine } from '../conformance/coordinator/kit.js';
import { withTicks } from '../locks/zookeeper-kit.js';
import { useRawZooKeeper } from '../locks/zookeeper-raw.js';
import { useShared, useZooKeeper, useZooKeeperEnsemble } from '../support/servers/index.js';
import { until } from '../support/until.js';
import { holderSuite } from './holders.js';
import { Load } from './load.js';
import { newName, nothingLeft, type Side } from './side.js';
import { leaderOf, lease, startSide } from './zookeeper-stage.js';

const opened: Side[] = [];

afterEach(async () => {
  await Promise.all(opened.splice(0).map((side) => side.close()));
});

async function sides(server: Parameters<typeof startSide>[0], count = 2): Promise<Side[]> {
  const all = await Promise.all(Array.from({ length: count }, () => startSide(server)));
  opened.push(...all);
  return all;
}

describe('a session that ends', () => {
  const server = useZooKeeper();

  it('while a permit is held: its holder is told before the next one has it', async () => {
    const [alice, bob] = (await sides(server)) as [Side, Side];
    const name = newName();
    const held = await alice.locks.acquire(name);
    const token = held.token;
    let told = Number.POSITIVE_INFINITY;
    held.signal.addEventListener('abort', () => {
      told = performance.now();
    });
    let granted = 0;
    const next = bob.locks.acquire(name).finally(() => {
      granted = performance.now();
    });
    alice.all((proxy) => proxy.pause());

    const permit = await next;

    expect(told).toBeLessThan(granted);
    expect(held.held).toBe(false);
    expect(() => held.assertHeld()).toThrow(/Lost the permit/);
    expect(permit.token).toBeGreaterThan(token);
    alice.all((proxy) => proxy.resume());
    await held.release();
    expect(permit.held).toBe(true);
    await permit.release();
    await until(() => nothingLeft(bob.coordinator, name), 10_000);
  });

  it('while it waits: it stands in line again, behind those who came meanwhile', async () => {
    const [alice, bob] = (await sides(server)) as [Side, Side];
    const name = newName();
    const held = await bob.locks.acquire(name);
    const waiting = alice.locks.acquire(name);
    await until(async () => (await bob.coordinator.inspect(name, soon)).waiting.length === 1);
    alice.all((proxy) => proxy.pause());
    await until(async () => (await bob.coordinator.inspect(name, soon)).waiting.length === 0, 10_000);
    const place = await standInLine(bob.coordinator.layout!('lock'), name, { lease });

    alice.all((proxy) => proxy.resume());
    await until(async () => (await bob.coordinator.inspect(name, soon)).waiting.length === 2, 10_000);
    await held.release();
    expect(await enters(bob.coordinator.layout!('lock'), name, place, { lease, line: true })).toBe(true);
    await exit(bob.coordinator, name, place);

    await (await waiting).release();
    await until(() => nothingLeft(bob.coordinator, name));
  });

  it('with requests on their way: all are answered in time, and nothing is left behind', async () => {
    const [alice, bob] = (await sides(server)) as [Side, Side];
    const names = Array.from({ length: 10 }, newName);
    await exit(alice.coordinator, names[0]!, await hold(alice.coordinator, names[0]!, { lease }));
    alice.all((proxy) => proxy.pause());
    const start = performance.now();
    const timeout = 1_000;

    const answers = await Promise.allSettled(
      names.map((name) =>
        enters(alice.coordinator, name, newId(), { lease, timeout, line: true, capacity: 2 }),
      ),
    );

    expect(performance.now() - start).toBeLessThan(3 * timeout);
    expect(answers.map(({ status }) => status)).toEqual(names.map(() => 'rejected'));
    await sleep(2 * lease);
    alice.all((proxy) => proxy.resume());
    await until(() => enters(alice.coordinator, newName(), newId(), { lease }), 10_000);
    for (const name of names) await until(() => nothingLeft(bob.coordinator, name), 10_000);
  });
});

describe('a holder', () => {
  const server = useShared('zookeeper');
  const side = async () => (await sides(server, 1))[0]!;
  holderSuite({ url: () => withTicks(server).url, lease, side });
});

describe('a server that freezes', () => {
  const server = useZooKeeper();

  it('alone: holders are told within their lease, and all goes on when it thaws', async () => {
    const [alice, bob] = (await sides(server)) as [Side, Side];
    const load = new Load([alice.locks, bob.locks], [{ name: newName(), capacity: 1 }]);
    const held = await alice.locks.acquire(newName());
    await load.goesOn();

    await server.freeze();
    const frozen = performance.now();
    await until(() => held.signal.aborted, 2 * lease);
    expect(performance.now() - frozen).toBeLessThan(lease);
    await sleep(2 * lease);
    await server.thaw();

    await load.goesOn();
    await load.end();
    expect(load.violations).toEqual([]);
  });
});

describe('of three servers', () => {
  const server = useZooKeeperEnsemble();

  it.each(['freeze', 'kill'] as const)(
    'one may %s: its clients leave it, and keep what they hold',
    async (what) => {
      const [alice, bob, carol] = (await sides(server, 3)) as [Side, Side, Side];
      const all = [alice, bob, carol];
      const load = new Load(
        all.map(({ locks }) => locks),
        [{ name: newName(), capacity: 1 }],
      );
      // Long enough to find out that a server says nothing, and to be heard by another in time.
      const held = await Promise.all(all.map(({ locks }) => locks.acquire(newName(), { lease: 6_000 })));
      await load.goesOn();
      const follower = (await notLeading())!;

      await follower[what]();
      await load.goesOn();
      await sleep(lease);
      await load.goesOn();
      expect(held.map((permit) => permit.held)).toEqual([true, true, true]);

      if (what === 'freeze') await follower.thaw();
      else await follower.restart();
      await load.goesOn();
      await load.end();
      expect(load.violations).toEqual([]);
      await Promise.all(held.map((permit) => permit.release()));
    },
  );

  it('the leader may be killed: what is held is held on to, and all goes on', async () => {
    const [alice, bob] = (await sides(server)) as [Side, Side];
    const load = new Load([alice.locks, bob.locks], [{ name: newName(), capacity: 2 }]);
    const held = await alice.locks.acquire(newName(), { lease: 10_000 });
    await load.goesOn();

    const leader = await leaderOf(server);
    await leader.kill();
    await load.goesOn();
    expect(held.held).toBe(true);
    await leader.restart();
    await load.goesOn();
    await load.end();
    expect(load.violations).toEqual([]);
    await held.release();
  });

  async function notLeading() {
    const leader = await leaderOf(server);
    return server.nodes.find((node) => node !== leader);
  }
});

describe('an answer that is lost', () => {
  const server = useZooKeeper();
  const raw = useRawZooKeeper(() => server.url);

  it('to a claim: it is granted when it is asked for again, once', async () => {
    const [alice, bob] = (await sides(server)) as [Side, Side];
    for (const capacity of [1, 3]) {
      for (const layout of capacity === 1 ? ['lock', 'both'] : ['semaphore']) {
        const [name, id] = [newName(), newId()];
        const us = alice.coordinator.layout!(layout);
        await exit(us, name, await hold(us, name, { lease, capacity }));
        const dropped = alice.proxies[0]!.dropReply(name);
        const lost = enters(us, name, id, { lease, capacity, line: true });
        await Promise.all([dropped, expect(lost).rejects.toThrow(/unavailable/)]);

        await until(() => enters(us, name, id, { lease, capacity, line: true }));
        const { holders, waiting } = await bob.coordinator.inspect(name, soon);
        expect([holders.map((holder) => holder.id), waiting]).toEqual([[id], []]);
        await exit(us, name, id);
        expect(await nothingLeft(bob.coordinator, name)).toBe(true);
      }
    }
  });

  it('to a release: nothing is left behind', async () => {
    const [alice, bob] = (await sides(server)) as [Side, Side];
    const name = newName();
    const held = await hold(alice.coordinator, name, { lease: 10_000 });
    const dropped = alice.proxies[0]!.dropReply(name);
    await expect(exit(alice.coordinator, name, held)).rejects.toThrow(/unavailable/);
    await dropped;
    await until(() => nothingLeft(bob.coordinator, name));
  });

  it.each(['lock', 'both', 'semaphore'])(
    'to a claim that nobody asks for again: its nodes go when its lease is over, though the session goes on (%s)',
    async (layout) => {
      const [alice] = (await sides(server, 1)) as [Side];
      const us = alice.coordinator.layout!(layout);
      const [name, kept] = [newName(), newName()];
      const options = { lease, capacity: layout === 'semaphore' ? 2 : 1 };
      await exit(us, name, await hold(us, name, options));
      const held = await hold(us, kept, options);
      const dropped = alice.proxies[0]!.dropReply(name);
      await expect(hold(us, name, options)).rejects.toThrow(/unavailable/);
      await dropped;

      const children = async (path: string) => await raw.list(path).catch(() => []);
      await until(async () => {
        // That the session goes on is what the orphan would live by.
        expect(await renew(us, kept, held, lease).catch(() => 'kept')).toBe('kept');
        const left = await Promise.all([children(`/lk/${name}`), children(`/lk/${name}-__lock__`)]);
        return left.flat().length === 0;
      }, 4 * lease);
      expect(await renew(us, kept, held, lease)).toBe('kept');
    },
  );
});
