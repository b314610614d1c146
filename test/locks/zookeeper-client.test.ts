import { randomUUID } from 'node:crypto';
import { createLocks } from 'lockkeeper';
import { zookeeperCoordinator } from 'lockkeeper/zookeeper';
import zookeeper from 'node-zookeeper-client';
import { afterEach, describe, expect, it } from 'vitest';
import type { Coordinator } from '../../src/locks/coordinator.js';
import {
  ask,
  enters,
  exit,
  granted,
  hold,
  newId,
  renew,
  soon,
  standInLine,
} from '../conformance/coordinator/kit.js';
import { startProxy } from '../support/proxy.js';
import { useShared } from '../support/servers/index.js';
import { until } from '../support/until.js';
import { kindOf, reply, startZooKeeperStub } from '../support/zookeeper-stub.js';
import { inPortions, tickTime } from './zookeeper-kit.js';
import { useRawZooKeeper } from './zookeeper-raw.js';

const server = useShared('zookeeper');
const raw = useRawZooKeeper(() => server.url);
const lease = 1_500;
const opened: { close(): unknown }[] = [];

afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close();
});

function open(...[source, options]: Parameters<typeof zookeeperCoordinator>): Coordinator {
  const coordinator = zookeeperCoordinator(source, { tickTime, ...options });
  opened.push(coordinator);
  return coordinator;
}

const newName = () => `res-${randomUUID()}`;
const clientFor = (hosts: string, sessionTimeout: number) => {
  const client = zookeeper.createClient(hosts, { sessionTimeout });
  opened.push({ close: () => client.close() });
  return client;
};

describe('a URL', () => {
  it.each([
    ['zk://', /has not the form/],
    ['zk://host:70000', /host that is not of the form host:port/],
    ['zk://[::1]:2181', /IPv6 need a name/],
    ['zk://host?speed=9', /no option `speed`/],
    ['zk://host?fencing=perhaps', /`fencing` to be true or false, got "perhaps"/],
    ['zk://host?tickTime=soon', /`tickTime` to be a duration/],
    ['zk://host?prefix=/a', /`prefix` to be the name of a node/],
    ['zk://user:secret@[::1]', /user:\*\*\*@/],
  ])('that cannot be is refused: %s', (url, message) => {
    expect(() => zookeeperCoordinator(url)).toThrow(message);
  });

  it('says where resources are kept, and how', async () => {
    const chroot = `app-${randomUUID()}`;
    const coordinator = open(
      `${server.url}/${chroot}/deep?prefix=locks&tickTime=${tickTime}ms&fencing=false`,
    );
    expect(coordinator.features).toMatchObject({ fencing: false, minLease: 2 * tickTime });
    const held = await hold(coordinator, 'storage', { lease });
    expect(await raw.list(`/${chroot}/deep/locks`)).toEqual(['storage', 'storage-__lock__']);
    await exit(coordinator, 'storage', held);
  });

  it('may let in a user', async () => {
    const coordinator = open(server.url.replace('zk://', 'zk://us%3Aer:pass@'));
    const name = newName();
    await exit(coordinator, name, await hold(coordinator, name, { lease }));
  });

  it('may be what an app is told', async () => {
    const locks = createLocks({ coordinator: `${server.url}?tickTime=250ms` });
    await (await locks.acquire(newName())).release();
    await locks.close();
  });
});

describe('a client that was handed over', () => {
  it('is used, and left to its owner', async () => {
    const client = clientFor(raw.hosts, 5_000);
    client.connect();
    const coordinator = open(client as never);
    const name = newName();
    const held = await hold(coordinator, name, { lease });
    await expect(hold(coordinator, name, { lease: 5_000 })).rejects.toThrow(
      /has a session of 5000 ms, and a lease of 5000 ms needs one of 5250 ms/,
    );
    await exit(coordinator, name, held);
    await coordinator.close();
    expect(client.getState()).toEqual(zookeeper.State.SYNC_CONNECTED);
  });

  it('may have a root of its own', async () => {
    const root = await raw.create(`/root-${randomUUID()}`);
    const client = clientFor(`${raw.hosts}${root}`, 5_000);
    client.connect();
    const coordinator = open(client as never);
    for (const layout of ['lock', 'both', 'semaphore']) {
      const us = coordinator.layout!(layout);
      const { token } = granted(await us.enter(ask(layout, newId(), { lease }))).grants[0]!;
      expect(token).toBe((await us.inspect(layout, soon)).holders[0]!.token);
      expect(await raw.list(`${root}/lk`)).toContain(layout);
    }
  });

  it('has nothing left in it for long when it is used no more', async () => {
    const client = clientFor(raw.hosts, 5_000);
    client.connect();
    const [coordinator, other] = [open(client as never), open(server.url)];
    const [held, awaited] = [newName(), newName()];
    await hold(coordinator, held, { lease });
    for (const options of [{ lease }, { lease, capacity: 2 }]) {
      const name = `${awaited}-${options.capacity}`;
      await hold(other, name, { ...options, weight: options.capacity ?? 1 });
      await standInLine(coordinator, name, options);
    }

    await coordinator.close();

    for (const name of [`${awaited}-undefined`, `${awaited}-2`])
      expect((await other.inspect(name, soon)).waiting).toEqual([]);
    await until(() => enters(other, held, newId(), { lease }), 3 * lease);
    expect(client.getState()).toEqual(zookeeper.State.SYNC_CONNECTED);
    expect(client.listenerCount('state')).toBe(1);
  });

  it('is dead when its session is over, which is said', async () => {
    const proxy = await startProxy(server.url);
    opened.push({ close: () => proxy.stop() });
    const client = clientFor(`127.0.0.1:${proxy.port}`, 2_000);
    client.connect();
    const coordinator = open(client as never);
    await hold(coordinator, newName(), { lease });
    proxy.pause();
    await until(() => raw.list('/lk'), 5_000);
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    proxy.resume();

    const again = () => enters(coordinator, newName(), newId(), { lease, timeout: 500 });
    await expect
      .poll(() => again().catch(({ message }) => message), { timeout: 10_000 })
      .toMatch(/is over, and so is the client/);
  });

  it('may be made anew for each session', async () => {
    const proxy = await startProxy(server.url);
    opened.push({ close: () => proxy.stop() });
    const asked: number[] = [];
    const coordinator = open((sessionTimeout) => {
      asked.push(sessionTimeout);
      return clientFor(`127.0.0.1:${proxy.port}`, sessionTimeout) as never;
    });
    await hold(coordinator, newName(), { lease });
    proxy.pause();
    await new Promise((resolve) => setTimeout(resolve, 2 * lease));
    proxy.resume();
    await until(() => enters(coordinator, newName(), newId(), { lease }).catch(() => false), 10_000);
    expect(asked).toEqual([lease + tickTime, lease + tickTime]);
  });

  it.each([{}, null, 7])('is refused when it is none: %j', (given) => {
    expect(() => zookeeperCoordinator(given as never)).toThrow(/a client of node-zookeeper-client/);
  });
});

describe('a session', () => {
  it('that the server makes longer or shorter than a lease needs is a mistake', async () => {
    const coordinator = open(server.url);
    await expect(hold(coordinator, newName(), { lease: 200_000 })).rejects.toThrow(
      /a session of 120000 ms where a lease of 200000 ms needs one of 200250 ms/,
    );
  });

  it('is of its own for each lease, so that what is held under one goes when that is over', async () => {
    const coordinator = open(server.url);
    const names = [newName(), newName()];
    await hold(coordinator, names[0]!, { lease });
    await hold(coordinator, names[1]!, { lease: 30_000 });
    await coordinator.close();
    const other = open(server.url);
    const isFree = async (name: string) => (await other.inspect(name, soon)).holders.length === 0;
    await until(() => isFree(names[0]!), 5_000);
    expect(await isFree(names[1]!)).toBe(false);
  });
});

describe('an error code that the library does not know', () => {
  it('costs the connection, not the process', async () => {
    // SESSION_MOVED, for every delete: a sync is read as one.
    const sessionMoved = -118;
    const stub = await startZooKeeperStub((request) =>
      kindOf(request) === 9 ? reply(request, sessionMoved) : undefined,
    );
    opened.push({ close: () => stub.stop() });
    const coordinator = open(stub.url);
    await expect(coordinator.inspect(newName(), { timeout: 1_000 })).rejects.toThrow(/unavailable/);
    await until(() => stub.connections > 1);
  });
});

describe('a server that takes connections and says nothing', () => {
  it('is left for another', async () => {
    const stub = await startZooKeeperStub(() => undefined, { handshake: () => false });
    opened.push({ close: () => stub.stop() });
    const urls = [stub.url, server.url].map((url) => url.replace('zk://', '')).join(',');
    // The library begins with any of them.
    for (let i = 0; i < 6; i++) {
      const coordinator = open(`zk://${urls}`);
      const name = newName();
      await exit(coordinator, name, await hold(coordinator, name, { lease }));
    }
    expect(stub.connections).toBeGreaterThan(0);
  });
});

describe('one name', () => {
  it('cannot be a lock and a semaphore at once', async () => {
    const coordinator = open(server.url);
    const [lock, name, other] = [coordinator.layout!('lock'), newName(), newName()];
    const held = await hold(lock, name, { lease });
    await expect(hold(coordinator, name, { lease, capacity: 2 })).rejects.toThrow(
      /in use as a lock and cannot be a semaphore/,
    );
    await expect(coordinator.setCapacity(name, 2, soon)).rejects.toThrow(/in use as a lock/);
    await exit(lock, name, held);
    await hold(coordinator, other, { lease, capacity: 2 });
    await expect(hold(lock, other, { lease })).rejects.toThrow(/in use as a semaphore and cannot be a lock/);
    expect((await coordinator.inspect(name, soon)).waiting).toEqual([]);
  });

  it('is a lock where nobody gives it a capacity, and a semaphore where somebody gives it 1', async () => {
    const coordinator = open(server.url);
    const [bare, one] = [newName(), newName()];
    const locks = createLocks({ coordinator, resources: { [one]: { capacity: 1 } } });
    await locks.acquire(bare);
    await locks.acquire(one);
    expect(await raw.list(`/lk/${bare}`)).toEqual([
      expect.stringMatching(/^[0-9a-f]{32}__lock__0000000000$/),
    ]);
    expect(await raw.list(`/lk/${one}`)).toEqual([expect.stringMatching(/^[0-9a-f]{32}$/)]);
    expect(await raw.get(`/lk/${one}`)).toBe('1');
    await locks.close();
  });

  it('has no layout that is not known', () => {
    expect(() => open(server.url).layout!('string')).toThrow(
      /`layout` to be 'lock' or 'curator' or 'both' or 'semaphore', got "string"/,
    );
    expect(() =>
      createLocks({ coordinator: open(server.url), resources: { a: { layout: 'lock', capacity: 2 } } }),
    ).toThrow(/mutexes only/);
  });

  it('may be read from by kazoo, which is waited for as a writer would', async () => {
    const lock = open(server.url).layout!('lock');
    const name = newName();
    await exit(lock, name, await hold(lock, name, { lease }));
    const reader = await raw.create(`/lk/${name}/reader__rlock__`, 'kazoo', 3);
    expect(await enters(lock, name, newId(), { lease })).toBe(false);
    await raw.remove(reader);
    expect(await enters(lock, name, newId(), { lease })).toBe(true);
  });
});

describe('without fencing', () => {
  it('permits have no token, and say so', async () => {
    const coordinator = open(server.url, { fencing: false });
    const locks = createLocks({ coordinator, resources: { pool: { capacity: 2 } } });
    for (const name of [newName(), 'pool']) {
      const permit = await locks.acquire(name);
      expect(() => permit.token).toThrow(/no fencing/);
      expect((await locks.inspect(name)).holders[0]).not.toHaveProperty('token');
      await permit.release();
    }
    await locks.close();
  });
});

describe('swept', () => {
  it('the nodes of a semaphore go when nobody uses it, and come again', async () => {
    const prefix = `swept-${randomUUID()}`;
    const coordinator = open(server.url, { prefix, parents: 'sweep' });
    for (let round = 0; round < 3; round++) {
      const held = await hold(coordinator, 'pool', { lease, capacity: 2, weight: 2 });
      const place = await standInLine(coordinator, 'pool', { lease, capacity: 2 });
      await exit(coordinator, 'pool', held);
      expect(await enters(coordinator, 'pool', place, { lease, capacity: 2, line: true })).toBe(true);
      await exit(coordinator, 'pool', place);
      await until(async () => (await raw.list(`/${prefix}`)).length === 0);
    }
  });

  it('under those who use it all the time, it goes wrong for nobody', async () => {
    const prefix = `swept-${randomUUID()}`;
    const sides = [1, 2, 3].map(() =>
      createLocks({
        coordinator: open(server.url, { prefix, parents: 'sweep' }),
        resources: { pool: { capacity: 2 } },
      }),
    );
    let [inside, most, turns] = [0, 0, 0];
    const loop = async (locks: (typeof sides)[0], name: string) => {
      for (let i = 0; i < 30; i++) {
        await locks.using(name, async () => {
          if (name === 'pool') most = Math.max(most, ++inside);
          // Longer than it takes to come in, so that the two of the pool meet.
          await new Promise((resolve) => setTimeout(resolve, 10));
          if (name === 'pool') inside--;
          turns++;
        });
      }
    };
    await Promise.all(sides.flatMap((locks) => [loop(locks, 'pool'), loop(locks, 'mutex')]));
    expect({ most, turns }).toEqual({ most: 2, turns: 180 });
    await Promise.all(sides.map((locks) => locks.close()));
    await until(async () => (await raw.list(`/${prefix}`)).length === 0);
  });
});

describe('2,000 places in line', () => {
  it('survive a connection that is cut, at the price of one packet, and are told when it is their turn', async () => {
    const proxy = await startProxy(server.url);
    opened.push({ close: () => proxy.stop() });
    const coordinator = open(proxy.url(server.url));
    const [holder, other] = [coordinator, open(server.url)].map((one) => one.layout!('lock')) as [
      Coordinator,
      Coordinator,
    ];
    const names = Array.from({ length: 2_000 }, newName);
    const long = { lease: 60_000, placeLife: 60_000 };
    const held = await inPortions(names, (name) => hold(other, name, long));
    const places = await inPortions(names, (name) => standInLine(holder, name, long));
    // Its answer comes behind those to all that is watched.
    await holder.inspect(names[0]!, soon);
    let woken = 0;
    for (const [i, id] of places.entries()) holder.wake({ resource: names[i]!, id }, () => woken++);
    expect(await renew(other, names[0]!, held[0]!)).toBe('kept');

    proxy.resetTraffic();
    proxy.cut();
    await until(() => holder.inspect(names[0]!, { timeout: 500 }), 20_000);
    const { requestBytes, requestBursts, connections } = proxy.traffic;
    expect(connections).toBe(1);
    expect(requestBytes).toBeGreaterThan(100_000);
    expect(requestBytes).toBeLessThan(1_000_000);
    expect(requestBursts).toBeLessThan(50);
    expect(woken).toBe(0);

    await inPortions(names, (name, i) => exit(other, name, held[i]!));
    await until(() => woken === names.length, 20_000);
    const entered = await inPortions(names, (name, i) =>
      enters(holder, name, places[i]!, { ...long, line: true }),
    );
    expect(new Set(entered)).toEqual(new Set([true]));
  }, 60_000);
});
