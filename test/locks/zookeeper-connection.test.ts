import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import { zookeeperCoordinator } from 'lockkeeper/zookeeper';
import zookeeper from 'node-zookeeper-client';
import { afterEach, describe, expect, it } from 'vitest';
import type { Coordinator } from '../../src/locks/coordinator.js';
import { sayOnce } from '../../src/locks/zookeeper/internals.js';
import { enters, exit, hold, newId, soon, standInLine } from '../conformance/coordinator/kit.js';
import { startProxy, type TcpProxy } from '../support/proxy.js';
import { useShared } from '../support/servers/index.js';
import { until } from '../support/until.js';
import { kindOf, reply, startZooKeeperStub } from '../support/zookeeper-stub.js';
import { inPortions, tickTime } from './zookeeper-kit.js';
import { useRawZooKeeper } from './zookeeper-raw.js';

const server = useShared('zookeeper');
const raw = useRawZooKeeper(() => server.url);
const lease = 1_500;
const noNode = -101;
const sync = 9;
const opened: { close(): unknown }[] = [];

afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close();
});

function open(source: Parameters<typeof zookeeperCoordinator>[0] = server.url): Coordinator {
  const coordinator = zookeeperCoordinator(source, { tickTime });
  opened.push(coordinator);
  return coordinator;
}

/** One that reaches the server by way of a proxy. */
async function openBehindProxy(): Promise<{ us: Coordinator; proxy: TcpProxy }> {
  const proxy = await startProxy(server.url);
  opened.push({ close: () => proxy.stop() });
  return { us: open(proxy.url(server.url)), proxy };
}

const newName = () => `res-${randomUUID()}`;

describe('an answer that', () => {
  /** Answers the first request with 40 bytes of which it says that they are so many, and all others as it should. */
  async function startLiar(bytes: number, send: (socket: Socket, answer: Buffer) => void) {
    let lied = false;
    const stub = await startZooKeeperStub((request, socket) => {
      if (lied) return kindOf(request) === sync ? reply(request) : reply(request, noNode);
      lied = true;
      const answer = Buffer.alloc(40);
      answer.writeInt32BE(bytes);
      send(socket, answer);
      return undefined;
    });
    opened.push({ close: () => stub.stop() });
    return stub;
  }

  it('is cut off half way is not taken for the beginning of what the next connection says', async () => {
    const stub = await startLiar(1_000, (socket, answer) => socket.end(answer));
    const coordinator = open(stub.url);

    await until(() => coordinator.inspect('anything', { timeout: 500 }), 5_000);

    expect(stub.connections).toBe(2);
  });

  it('cannot be one costs the connection', async () => {
    const stub = await startLiar(-4, (socket, answer) => socket.write(answer));
    const coordinator = open(stub.url);

    await until(() => coordinator.inspect('anything', { timeout: 500 }), 5_000);

    expect(stub.connections).toBe(2);
  });

  it('ends before what was asked for costs the connection', async () => {
    let lied = false;
    const stub = await startZooKeeperStub((request) => {
      if (lied) return kindOf(request) === sync ? reply(request) : reply(request, noNode);
      lied = kindOf(request) !== sync;
      return reply(request);
    });
    opened.push({ close: () => stub.stop() });
    const coordinator = open(stub.url);

    await until(() => coordinator.inspect('anything', { timeout: 500 }), 5_000);

    expect(stub.connections).toBe(2);
  });
});

describe('servers that do not let a client in', () => {
  it('are told no more, all in all, than the one that does: who it is and what it watches, once', async () => {
    const told: number[] = [];
    const [auth, setWatches, getData] = [100, 101, 4];
    let served = 0;
    const stub = await startZooKeeperStub(
      (request, socket) => {
        const kind = kindOf(request);
        if (kind !== getData) told.push(kind);
        if (kind !== getData) return undefined;
        if (served++ > 0) socket.destroy();
        // No data, and a node of which all is 0.
        return Buffer.concat([reply(request), Buffer.alloc(4 + 68)]);
      },
      {
        handshake: (connection, socket) => {
          if (connection === 1 || connection > 4) return true;
          socket.destroy();
          return false;
        },
      },
    );
    const client = zookeeper.createClient(stub.url.replace('zk://', ''), { spinDelay: 10 });
    opened.push({ close: () => stub.stop() }, { close: () => client.close() });
    sayOnce(client as never);
    client.addAuthInfo('digest', Buffer.from('user:pass'));
    client.connect();
    const read = (watch: boolean) =>
      new Promise((resolve) => {
        if (watch) client.getData('/x', () => {}, resolve);
        else client.getData('/x', resolve);
      });
    expect(await read(true)).toBeNull();
    expect(told.splice(0)).toEqual([auth]);

    expect(await read(false)).toMatchObject({ name: 'CONNECTION_LOSS' });
    await until(() => told.includes(setWatches));

    expect(stub.connections).toBe(5);
    expect(told).toEqual([auth, setWatches]);
  });
});

describe('what somebody waits for', () => {
  it('is all that is watched, and fits into one packet, whatever the names', async () => {
    const { us, proxy } = await openBehindProxy();
    const other = open();
    const options = { lease: 60_000, placeLife: 60_000, capacity: 2 };
    // As long as they may be, and three bytes a letter.
    const names = Array.from({ length: 1_500 }, (_, i) => '鍵'.repeat(195) + String(i).padStart(5, '0'));
    const held = await inPortions(names, (name) => hold(other, name, { ...options, weight: 2 }));
    const places = await inPortions(names, (name) => standInLine(us, name, options));
    await us.inspect('anything', soon);

    proxy.resetTraffic();
    proxy.cut();
    await until(() => us.inspect('anything', { timeout: 500 }), 20_000);
    expect(proxy.traffic.connections).toBe(1);
    expect(proxy.traffic.requestBytes).toBeGreaterThan(700_000);
    expect(proxy.traffic.requestBytes).toBeLessThan(1_000_000);

    await inPortions(names, (name, i) => exit(other, name, held[i]!));
    await inPortions(names, (name, i) =>
      until(() => enters(us, name, places[i]!, { ...options, line: true })),
    );
    await inPortions(names, (name, i) => exit(us, name, places[i]!));
    proxy.resetTraffic();
    proxy.cut();
    await until(() => us.inspect('anything', { timeout: 500 }), 20_000);
    expect(proxy.traffic.requestBytes).toBeLessThan(10_000);
  }, 120_000);

  it('is told even if it happens just before the watch is set', async () => {
    let leave = () => {};
    const left = new Promise<void>((resolve) => {
      leave = resolve;
    });
    const slow = (sessionTimeout: number) => {
      const client = zookeeper.createClient(raw.hosts, { sessionTimeout });
      const getChildren = client.getChildren.bind(client) as (...of: unknown[]) => void;
      // Whatever else is asked with it goes ahead.
      const late = (...of: unknown[]) =>
        of.length === 3 ? void left.then(() => getChildren(...of)) : getChildren(...of);
      return Object.assign(client, { getChildren: late });
    };
    const [us, other] = [open(slow as never), open()];
    const name = newName();
    const held = await hold(other, name, { lease });
    const first = await standInLine(us, name, { lease });
    let calls = 0;
    us.wake({ resource: name, id: first }, () => void calls++);
    // Answered behind all that was asked when the place was taken.
    await us.inspect(name, soon);

    await exit(other, name, held);
    leave();

    await until(() => calls > 0, 5_000);
    expect(await enters(us, name, first, { lease, line: true })).toBe(true);
  });

  it('is watched, too, by whoever was first in line when an answer was lost', async () => {
    const { us, proxy } = await openBehindProxy();
    const other = open();
    const name = newName();
    const options = { lease, capacity: 2 };
    const held = [await hold(other, name, options), await hold(other, name, options)];
    const place = await standInLine(us, name, { ...options, weight: 2 });
    let told = 0;
    us.wake({ resource: name, id: place }, () => told++);
    // Its answer comes behind that to what is watched.
    await us.inspect(name, soon);
    await exit(other, name, held[0]!);
    await until(() => told > 0);
    const dropped = proxy.dropReply(name);
    const lost = enters(us, name, place, { ...options, weight: 2, line: true });
    await Promise.all([dropped, expect(lost).rejects.toThrow(/unavailable/)]);
    const again = () => enters(us, name, place, { ...options, weight: 2, line: true });
    await until(async () => (await again()) === false);

    told = 0;
    await exit(other, name, held[1]!);

    await until(() => told > 0);
    expect(await again()).toBe(true);
  });
});

describe('a step that waits for another', () => {
  it('opens no connection when the coordinator was closed meanwhile', async () => {
    const { us, proxy } = await openBehindProxy();
    const name = newName();
    await exit(us, name, await hold(us, name, { lease }));
    proxy.pause();
    const id = newId();
    const steps = [lease, 2 * lease].map((each) => enters(us, name, id, { lease: each }));
    const ended = Promise.allSettled(steps);

    await us.close();

    expect((await ended).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    proxy.resume();
    await until(() => proxy.open === 0);
    expect(proxy.traffic.connections).toBe(1);
  });
});

describe('a node that others may only read', () => {
  it('is a mistake in the settings, and is not tried again and again', async () => {
    const client = zookeeper.createClient(raw.hosts, { sessionTimeout: 10_000 });
    opened.push({ close: () => client.close() });
    client.connect();
    const readable = [new zookeeper.ACL(zookeeper.Permission.READ, new zookeeper.Id('world', 'anyone'))];
    const name = newName();
    await hold(open(), newName(), { lease });
    const made = [name, `${name}-__lock__`].map(
      (node) =>
        new Promise((resolve) => client.create(`/lk/${node}`, Buffer.from('1'), readable, 0, resolve)),
    );
    expect(await Promise.all(made)).toEqual([null, null]);
    const us = open();
    const said = /refuses: NO_AUTH.*access lists/;

    await expect(us.pause(name, 1_000, soon)).rejects.toThrow(said);
    await expect(hold(us, name, { lease })).rejects.toThrow(said);
    await expect(hold(us.layout!('both'), name, { lease })).rejects.toThrow(said);
  });
});
