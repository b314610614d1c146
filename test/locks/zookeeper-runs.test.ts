import { randomUUID } from 'node:crypto';
import zookeeper from 'node-zookeeper-client';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Coordinator } from '../../src/locks/coordinator.js';
import type { ZooKeeperClient } from '../../src/locks/zookeeper/client.js';
import { kind, type Packet } from '../../src/locks/zookeeper/packets.js';
import { zookeeperCoordinator } from '../../src/locks/zookeeper.js';
import { enters, exit, hold } from '../conformance/coordinator/kit.js';
import { useShared } from '../support/servers/index.js';
import { tickTime } from './zookeeper-kit.js';
import { ephemeralSequential, useRawZooKeeper } from './zookeeper-raw.js';

const server = useShared('zookeeper');
const raw = useRawZooKeeper(() => server.url);
const opened: Coordinator[] = [];

afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
});

/** Locks of one side, and how often it has read who stands in line. */
function openLocks(): { locks: Coordinator; readings: () => number } {
  let readings = 0;
  const coordinator = zookeeperCoordinator(
    (sessionTimeout) => {
      const client = zookeeper.createClient(raw.hosts, { sessionTimeout }) as unknown as ZooKeeperClient;
      const inside = client.connectionManager!;
      const queue = inside.queue.bind(inside);
      vi.spyOn(inside, 'queue').mockImplementation((packet: Packet, done) => {
        if (packet.toBuffer().readInt32BE(8) === kind.list) readings++;
        queue(packet, done);
      });
      return client;
    },
    { tickTime },
  );
  opened.push(coordinator);
  return { locks: coordinator.layout!('lock'), readings: () => readings };
}

/** Takes it so many times, with nobody between: with the numbers from 0. */
async function takeAgainAndAgain(locks: Coordinator, name: string, times: number): Promise<void> {
  for (let i = 0; i < times; i++) await exit(locks, name, await hold(locks, name));
}

const long = 12;
const newName = () => `res-${randomUUID()}`;
const contend = (name: string) => raw.create(`/lk/${name}/other__lock__`, '', ephemeralSequential);

describe('a lock that one side takes again and again', () => {
  it('is had in the end without reading who stands in line', async () => {
    const { locks, readings } = openLocks();
    const name = newName();
    await takeAgainAndAgain(locks, name, long);
    const before = readings();
    await takeAgainAndAgain(locks, name, 5);
    expect(readings()).toBe(before);
  });

  it('is refused when somebody else has come between', async () => {
    const { locks } = openLocks();
    const name = newName();
    await takeAgainAndAgain(locks, name, long);
    const other = await contend(name);
    expect(await enters(locks, name)).toBe(false);
    await raw.remove(other);
    expect(await enters(locks, name)).toBe(true);
  });

  it('is refused while it is on hold', async () => {
    const { locks } = openLocks();
    const name = newName();
    await takeAgainAndAgain(locks, name, long);
    await locks.pause(name, 60_000, { timeout: 5_000 });
    expect(await enters(locks, name)).toBe(false);
  });

  it('is refused to a second claim of this side', async () => {
    const { locks } = openLocks();
    const name = newName();
    await takeAgainAndAgain(locks, name, long);
    await hold(locks, name);
    expect(await enters(locks, name)).toBe(false);
  });

  it('is refused when its parent was made anew, and somebody has the number before the next', async () => {
    const { locks } = openLocks();
    const name = newName();
    await takeAgainAndAgain(locks, name, long);
    await raw.remove(`/lk/${name}`);
    await raw.create(`/lk/${name}`);
    for (let i = 0; i < long - 1; i++) await raw.remove(await contend(name));
    expect(await contend(name)).toContain(`lock__${String(long - 1).padStart(10, '0')}`);
    expect(await enters(locks, name)).toBe(false);
  });
});
