import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { createLocks, type Locks } from 'lockkeeper';
import { zookeeperCoordinator } from 'lockkeeper/zookeeper';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { enters, exit, hold, soon, standInLine } from '../conformance/coordinator/kit.js';
import { type Peer, startJava, startPython, startScript } from '../support/peer.js';
import { useShared } from '../support/servers/index.js';
import { until } from '../support/until.js';
import { ephemeralSequential, useRawZooKeeper } from './zookeeper-raw.js';

const server = useShared('zookeeper');
const raw = useRawZooKeeper(() => server.url);
const opened: Locks[] = [];

afterEach(async () => {
  await Promise.all(opened.splice(0).map((locks) => locks.close()));
});

/** Ours. Resources are nodes of `/lk`. */
function ours(resources: Parameters<typeof createLocks>[0] = {}): Locks {
  const locks = createLocks({ coordinator: server.url, ...resources });
  opened.push(locks);
  return locks;
}

/** A resource that nobody has used before, and the path others know it by. */
function newResource() {
  const name = `shared-${randomUUID()}`;
  return { name, path: `/lk/${name}` };
}

/** Adds to a number in steps that are not one, under the lock, for so long. */
async function count(locks: Locks, name: string, counter: string, seconds: number): Promise<number> {
  let times = 0;
  for (const end = performance.now() + seconds * 1_000; performance.now() < end; times++) {
    await locks.using(name, async () => {
      const value = Number(await raw.get(counter));
      await sleep(1);
      await raw.set(counter, String(value + 1));
    });
  }
  return times;
}

/** Goes in and out under the semaphore, for so long. */
async function crowd(locks: Locks, name: string, room: string, seconds: number) {
  let [times, most] = [0, 0];
  for (const end = performance.now() + seconds * 1_000; performance.now() < end; times++) {
    await locks.using(name, async () => {
      const inside = await raw.create(`${room}/inside-`, '', ephemeralSequential);
      most = Math.max(most, (await raw.list(room)).length);
      await sleep(2);
      await raw.remove(inside);
    });
  }
  return { times, most };
}

describe('kazoo and us', () => {
  let kazoo: Peer;
  let another: Peer;
  beforeAll(async () => {
    const start = () => startPython(new URL('peers/kazoo_peer.py', import.meta.url), raw.hosts);
    [kazoo, another] = await Promise.all([start(), start()]);
    expect(await Promise.all([kazoo.next(), another.next()])).toEqual(['ready', 'ready']);
  });
  afterAll(() => Promise.all([kazoo.end(), another.end()]));

  it('exclude each other from a lock', async () => {
    const { name, path } = newResource();
    const locks = ours();
    const permit = await locks.acquire(name);
    expect(await kazoo.ask(`attempt lock ${path}`)).toBe('refused');
    expect(await kazoo.ask(`contenders ${path}`)).toBe(locks.owner);
    kazoo.say(`acquire lock ${path}`);
    await permit.release();
    expect(await kazoo.next()).toBe('held');

    expect(await locks.tryAcquire(name)).toBeUndefined();
    const { holders } = await locks.inspect(name);
    expect(holders).toEqual([expect.objectContaining({ owner: 'kazoo', foreign: true, weight: 1 })]);
    const next = locks.acquire(name);
    expect(await kazoo.ask(`release ${path}`)).toBe('released');
    await (await next).release();
  });

  it('stand in one line', async () => {
    const { name, path } = newResource();
    const us = zookeeperCoordinator(server.url).layout!('lock');
    const waiting = async () => (await us.inspect(name, soon)).waiting.length;
    const first = await hold(us, name);
    another.say(`acquire lock ${path}`);
    await until(async () => (await waiting()) === 1);
    const ours = await standInLine(us, name);
    kazoo.say(`acquire lock ${path}`);
    await until(async () => (await waiting()) === 3);

    await exit(us, name, first);
    expect(await another.next()).toBe('held');
    expect(await enters(us, name, ours, { line: true })).toBe(false);
    expect(await another.ask(`release ${path}`)).toBe('released');
    await until(() => enters(us, name, ours, { line: true }));
    expect(kazoo.unread).toEqual([]);
    await exit(us, name, ours);
    expect(await kazoo.next()).toBe('held');
    expect(await kazoo.ask(`release ${path}`)).toBe('released');
    await us.close();
  });

  it('lose no update of a number that is added to in several steps', async () => {
    const { name, path } = newResource();
    const counter = await raw.create(`/counter-${name}`, '0');
    kazoo.say(`count ${path} ${counter} 3`);
    const times = await Promise.all([count(ours(), name, counter, 3), count(ours(), name, counter, 3)]);
    const theirs = Number(await kazoo.next());

    expect(theirs).toBeGreaterThan(3);
    for (const each of times) expect(each).toBeGreaterThan(3);
    expect(Number(await raw.get(counter))).toBe(theirs + times[0]! + times[1]!);
  });

  it('share a semaphore', async () => {
    const { name, path } = newResource();
    const locks = ours({ resources: { [name]: { capacity: 2 } } });
    const permit = await locks.acquire(name);
    expect(await raw.get(path)).toBe('2');
    expect(await kazoo.ask(`attempt semaphore ${path} 2`)).toBe('held');
    expect(await another.ask(`attempt semaphore ${path} 2`)).toBe('refused');
    expect(await locks.tryAcquire(name)).toBeUndefined();
    expect(await kazoo.ask(`holders ${path} 2`)).toBe('2');

    await permit.release();
    expect(await another.ask(`acquire semaphore ${path} 2`)).toBe('held');
    const next = locks.acquire(name);
    expect(await kazoo.ask(`release ${path}`)).toBe('released');
    await (await next).release();
    expect(await another.ask(`release ${path}`)).toBe('released');
  });

  it('count a permit that weighs more as several leases', async () => {
    const { name, path } = newResource();
    const locks = ours({ resources: { [name]: { capacity: 3 } } });
    const permit = await locks.acquire(name, { weight: 2 });
    expect(await kazoo.ask(`attempt semaphore ${path} 3`)).toBe('held');
    expect(await another.ask(`attempt semaphore ${path} 3`)).toBe('refused');
    await permit.release();
    expect(await another.ask(`attempt semaphore ${path} 3`)).toBe('held');
    expect(await locks.tryAcquire(name, { weight: 2 })).toBeUndefined();
    for (const peer of [kazoo, another]) expect(await peer.ask(`release ${path}`)).toBe('released');
  });

  it('never exceed a semaphore, and both go on', async () => {
    const { name, path } = newResource();
    const resources = { [name]: { capacity: 3 } };
    const room = await raw.create(`/room-${name}`);
    for (const peer of [kazoo, another]) peer.say(`crowd ${path} 3 ${room} 4`);
    const sides = [ours({ resources }), ours({ resources }), ours({ resources })];
    const inside = await Promise.all(sides.map((locks) => crowd(locks, name, room, 4)));
    for (const peer of [kazoo, another]) {
      const [times = 0, most = 0] = (await peer.next()).split(' ').map(Number);
      inside.push({ times, most });
    }

    for (const { times } of inside) expect(times).toBeGreaterThan(3);
    expect(Math.max(...inside.map(({ most }) => most))).toBe(3);
  });

  it('tell each other of another capacity, each in its way', async () => {
    const { name, path } = newResource();
    expect(await kazoo.ask(`attempt semaphore ${path} 2`)).toBe('held');
    const locks = ours({ resources: { [name]: { capacity: 5 } } });
    const mismatches: unknown[] = [];
    locks.events.on('capacity.mismatch', (event) => mismatches.push(event));

    await (await locks.acquire(name)).release();

    expect(mismatches).toEqual([{ resource: name, declared: 5, alsoDeclared: 2 }]);
    expect(await another.ask(`refuses ${path} 2`)).toMatch(/Inconsistent max leases: 5, expected: 2/);
    expect(await kazoo.ask(`release ${path}`)).toBe('released');
  });
});

describe('Curator and us', () => {
  let curator: Peer;
  let kazoo: Peer;
  beforeAll(async () => {
    curator = await startJava(new URL('peers/CuratorPeer.java', import.meta.url), raw.hosts);
    kazoo = await startPython(new URL('peers/kazoo_peer.py', import.meta.url), raw.hosts);
    expect([await curator.next(60_000), await kazoo.next()]).toEqual(['ready', 'ready']);
  }, 60_000);
  afterAll(() => Promise.all([curator?.end(), kazoo?.end()]));

  it.each(['curator', 'both'])('exclude each other from a mutex in the layout %s', async (layout) => {
    const { name, path } = newResource();
    const locks = ours({ resources: { [name]: { layout } } });
    const permit = await locks.acquire(name);
    expect(await curator.ask(`attempt ${path}`)).toBe('refused');
    curator.say(`acquire ${path}`);
    await permit.release();
    expect(await curator.next()).toBe('held');

    expect(await locks.tryAcquire(name)).toBeUndefined();
    const next = locks.acquire(name);
    expect(await curator.ask(`release ${path}`)).toBe('released');
    await (await next).release();
  });

  it('lose no update of a number that is added to in several steps', async () => {
    const { name, path } = newResource();
    const counter = await raw.create(`/counter-${name}`, '0');
    const coordinator = zookeeperCoordinator(server.url, { layout: 'curator' });
    curator.say(`count ${path} ${counter} 3`);
    const sides = [ours({ coordinator }), ours({ coordinator })];
    const times = await Promise.all(sides.map((locks) => count(locks, name, counter, 3)));
    const theirs = Number(await curator.next());
    await Promise.all(sides.map((locks) => locks.close()));
    await coordinator.close();

    expect(theirs).toBeGreaterThan(3);
    for (const each of times) expect(each).toBeGreaterThan(3);
    expect(Number(await raw.get(counter))).toBe(theirs + times[0]! + times[1]!);
  });

  it('are kept out by a lock in both layouts, as kazoo is', async () => {
    const { name, path } = newResource();
    const locks = ours({ resources: { [name]: { layout: 'both' } } });
    const permit = await locks.acquire(name);
    expect(await curator.ask(`attempt ${path}`)).toBe('refused');
    expect(await kazoo.ask(`attempt lock ${path}`)).toBe('refused');
    await permit.release();

    expect(await kazoo.ask(`acquire lock ${path}`)).toBe('held');
    expect(await locks.tryAcquire(name)).toBeUndefined();
    expect(await kazoo.ask(`release ${path}`)).toBe('released');
  });
});

describe('the examples', () => {
  it('of three languages hold what they share', async () => {
    const example = (name: string) => new URL(`../../examples/sharing/${name}`, import.meta.url);
    await using node = await startScript(example('zookeeper.ts'), server.url);
    await using python = await startPython(example('with_kazoo.py'), raw.hosts);
    await using java = await startJava(example('WithCurator.java'), raw.hosts);
    expect([await node.next(60_000), await node.next(), await node.next()]).toEqual([
      'Node holds nightly-report',
      'Node holds storage',
      'Node holds invoices',
    ]);
    expect([await python.next(), await python.next()]).toEqual([
      'Python holds nightly-report',
      'Python holds a share of storage',
    ]);
    expect(await java.next(60_000)).toBe('Java holds invoices');
    expect(await Promise.all([node, python, java].map(({ ended }) => ended))).toEqual(
      Array.from({ length: 3 }, () => 'exit code 0'),
    );
  }, 120_000);
});
