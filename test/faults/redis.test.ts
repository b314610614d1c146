import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { createLocks, type Locks, PermitLostError } from 'lockkeeper';
import { redisCoordinator } from 'lockkeeper/redis';
import { afterEach, describe, expect, it } from 'vitest';
import { CoordinatorUnavailableError } from '../../src/errors.js';
import type { Coordinator } from '../../src/locks/coordinator.js';
import { ask, enters, hold, newId, renew, soon, standInLine } from '../conformance/coordinator/kit.js';
import { startScript } from '../support/peer.js';
import { startProxy, type TcpProxy } from '../support/proxy.js';
import { useRedis, useRedisSentinel, useShared } from '../support/servers/index.js';
import { until } from '../support/until.js';
import { Fleet } from './fleet.js';
import { redisFaults } from './redis-faults.js';

/** Milliseconds. */
const lease = 1_000;

/** What ends a test. */
const ends: (() => unknown)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

/** A side that reaches the server through a proxy. */
interface Side {
  readonly proxy: TcpProxy;
  readonly party: Coordinator;
  readonly locks: Locks;
}

async function side(server: { readonly url: string }): Promise<Side> {
  const proxy = await startProxy(server.url);
  const party = redisCoordinator(proxy.url(server.url));
  const locks = createLocks({ coordinator: party, resources: { '*': { lease } } });
  ends.push(async () => {
    await locks.close();
    await party.close();
    proxy.stop();
  });
  return { proxy, party, locks };
}

const sides = async (server: { readonly url: string }): Promise<[alice: Side, bob: Side]> => [
  await side(server),
  await side(server),
];

/** Who holds and who waits, as another side sees it. */
async function look({ party }: Side, name: string): Promise<[holders: number, waiting: number]> {
  const { holders, waiting } = await party.inspect(name, soon);
  return [holders.length, waiting.length];
}

let names = 0;
const newName = () => `fault-${process.pid}-${names++}`;

describe('an answer that is lost', () => {
  const server = useShared('redis');

  it.each([
    ['a try', false],
    ['a place', true],
  ])('to %s: it is granted when it is asked for again, once', async (_, line) => {
    const [alice, bob] = await sides(server);
    const [name, id] = [newName(), newId()];
    await hold(alice.party, newName(), { lease });
    const dropped = alice.proxy.dropReply(name);
    await expect(alice.party.enter(ask(name, id, { line, lease }))).rejects.toBeInstanceOf(
      CoordinatorUnavailableError,
    );
    await dropped;

    await until(() => enters(alice.party, name, id, { line, lease }));
    expect((await bob.party.inspect(name, soon)).holders.map((holder) => holder.id)).toEqual([id]);
    await alice.party.exit([{ resource: name, id }], soon);
    expect(await look(bob, name)).toEqual([0, 0]);
  });

  it('to a try that nobody repeats: it is given back', async () => {
    const [alice, bob] = await sides(server);
    const name = newName();
    await (await alice.locks.acquire(newName())).release();
    const dropped = alice.proxy.dropReply(name);
    await expect(alice.locks.tryAcquire(name, { lease: '1m' })).rejects.toBeInstanceOf(
      CoordinatorUnavailableError,
    );
    await dropped;
    await until(async () => String(await look(bob, name)) === '0,0');
  });

  it('to a release: the permit is back, and once', async () => {
    const [alice, bob] = await sides(server);
    const name = newName();
    const permit = await alice.locks.acquire(name, { lease: '1m' });
    const dropped = alice.proxy.dropReply(name);
    await permit.release();
    await dropped;
    const next = (await bob.locks.tryAcquire(name, { lease: '1m' }))!;
    await sleep(700);
    expect(next.held).toBe(true);
    expect(await renew(bob.party, name, (await bob.party.inspect(name, soon)).holders[0]!.id)).toBe('kept');
    await next.release();
  });
});

describe('a holder', () => {
  const server = useShared('redis');
  const start = (name: string) =>
    startScript(new URL('holder.ts', import.meta.url), server.url, name, String(lease));
  const tokenIn = (line: string) => BigInt(/^held (\d+)$/.exec(line)![1]!);

  it('that is killed comes free within its lease and a second', async () => {
    const bob = await side(server);
    const name = newName();
    await using holder = await start(name);
    const token = tokenIn(await holder.next());
    const next = bob.locks.acquire(name);
    const killed = performance.now();
    await holder.end('SIGKILL');

    const permit = await next;

    expect(performance.now() - killed).toBeLessThan(lease + 1_000);
    expect(permit.token).toBeGreaterThan(token);
  });

  it('that is stopped learns that it lost its permit before it does anything else', async () => {
    const bob = await side(server);
    const name = newName();
    await using holder = await start(name);
    const token = tokenIn(await holder.next());
    await holder.freeze();
    const permit = await bob.locks.acquire(name);
    await sleep(lease);

    holder.say('check');
    holder.thaw();

    expect([await holder.next(), await holder.next()].sort()).toEqual([
      'PermitLostError',
      'told PermitLostError',
    ]);
    expect(permit.token).toBeGreaterThan(token);
  });

  it('that blocks its event loop learns it as soon as it asks', async () => {
    const bob = await side(server);
    const name = newName();
    await using holder = await start(name);
    const token = tokenIn(await holder.next());
    holder.say(`block ${2 * lease}`);

    const permit = await bob.locks.acquire(name);

    expect(await holder.next()).toBe('told PermitLostError');
    expect(await holder.next()).toBe('PermitLostError');
    expect(permit.token).toBeGreaterThan(token);
  });

  it('that is cut off is told before the next one has it, and refused by what keeps the highest token', async () => {
    const [alice, bob] = await sides(server);
    const name = newName();
    const register = { highest: 0n, value: '' };
    const write = (token: bigint, value: string) => {
      if (token < register.highest) return false;
      Object.assign(register, { highest: token, value });
      return true;
    };
    const held = await alice.locks.acquire(name);
    const { token } = held;
    expect(write(token, 'first')).toBe(true);
    let told = Number.POSITIVE_INFINITY;
    held.signal.addEventListener('abort', () => {
      told = performance.now();
    });
    alice.proxy.pause();

    const permit = await bob.locks.acquire(name);

    expect(told).toBeLessThan(performance.now());
    expect(() => held.assertHeld()).toThrow(PermitLostError);
    expect(write(permit.token, 'second')).toBe(true);
    expect(write(token, 'stale')).toBe(false);
    expect(register.value).toBe('second');
    alice.proxy.resume();
    await held.release();
    expect(permit.held).toBe(true);
  });

  it('whose connection is slow, or comes and goes, keeps its permit', async () => {
    const [alice, bob] = await sides(server);
    const name = newName();
    const held = await alice.locks.acquire(name, { lease: 3 * lease });
    alice.proxy.delay(20);
    for (let i = 0; i < 8; i++) {
      await sleep(lease / 2);
      alice.proxy.cut(i % 2 ? 'reset' : 'end');
    }
    alice.proxy.delay(0);
    expect(held.held).toBe(true);
    expect(await bob.locks.tryAcquire(name)).toBeUndefined();
  });
});

describe('whoever waits', () => {
  const server = useShared('redis');

  it('is not forgotten when nobody can wake it', async () => {
    const [alice, bob] = await sides(server);
    const name = newName();
    const held = await bob.locks.acquire(name, { lease: '1m' });
    const waiting = alice.locks.acquire(name);
    await until(async () => (await look(bob, name))[1] === 1);
    alice.proxy.pause('replies');
    await held.release();
    alice.proxy.cut();
    alice.proxy.resume();
    await waiting;
  });

  it('is not in the way when its process is cut off', async () => {
    const [alice, bob] = await sides(server);
    const name = newName();
    const held = await bob.locks.acquire(name, { lease: '1m' });
    const place = await standInLine(alice.party, name, { placeLife: lease });
    await until(async () => (await look(bob, name))[1] === 1);
    alice.proxy.stop();
    const next = bob.locks.acquire(name);
    await held.release();
    await next;
    expect((await bob.party.inspect(name, soon)).waiting.map(({ id }) => id)).not.toContain(place);
    await alice.proxy.accept();
  });
});

describe('a server', () => {
  const server = useRedis({ persist: true });

  it('that is killed, and back within a lease, has taken nothing from anybody', async () => {
    const [alice, bob] = await sides(server);
    const name = newName();
    const permit = await alice.locks.acquire(name, { lease: '15s' });
    const next = bob.locks.acquire(name);
    await until(async () => (await look(alice, name))[1] === 1);

    await server.restart();

    await until(async () => String(await look(bob, name)) === '1,1');
    await sleep(1_000);
    expect(permit.held).toBe(true);
    const { token } = permit;
    await permit.release();
    expect((await next).token).toBeGreaterThan(token);
  });

  it('that is away for 3 s disturbs no run with a longer lease, and work goes on within 5 s', async () => {
    const [alice, bob] = await sides(server);
    const [name, other] = [newName(), newName()];
    const permit = await alice.locks.acquire(name, { lease: '15s' });
    let unavailable = 0;
    bob.locks.events.on('coordinator.unavailable', () => {
      unavailable++;
    });
    await (await bob.locks.acquire(other)).release();
    await server.kill();
    const refused = await bob.locks.acquire(other, { waitTimeout: '1s' }).catch((error) => error);
    await sleep(2_000);
    await server.restart();
    const back = performance.now();

    await (await bob.locks.acquire(other)).release();

    expect(performance.now() - back).toBeLessThan(5_000);
    expect(refused).toBeInstanceOf(CoordinatorUnavailableError);
    expect(unavailable).toBe(1);
    expect(permit.held).toBe(true);
  });

  it('that freezes: holders are told within their lease, and all goes on when it thaws', async () => {
    const [alice, bob] = await sides(server);
    const name = newName();
    const held = await alice.locks.acquire(name);
    const { signal } = held;
    const next = bob.locks.acquire(name, { waitTimeout: '1m' });
    await server.freeze();
    const frozen = performance.now();
    await until(() => signal.aborted, 2 * lease);
    expect(performance.now() - frozen).toBeLessThan(lease);
    await sleep(lease);

    await server.thaw();

    await next;
    await held.release();
  });

  it('that keeps nothing over a restart: holders are told by the next renewal', async () => {
    const [alice] = await sides(server);
    const name = newName();
    const held = await alice.locks.acquire(name, { lease: '3s' });
    const { signal } = held;
    const client = new Redis(server.url);
    await client.flushall();
    client.disconnect();
    await until(() => signal.aborted, 3_000);
    expect(signal.reason).toMatchObject({ code: 'PERMIT_LOST', loss: 'not-owner' });
  });
});

describe('processes that never stop wanting the same permits', () => {
  const server = useRedis({ persist: true });

  it('get no more than there are, whatever goes wrong', { timeout: 180_000 }, async () => {
    const capacities = { mutex: 1, semaphore: 3 };
    const fleet = await new Fleet({ url: server.url, workers: 3, lease, capacities }).start();
    ends.push(() => fleet.stop());
    const client = new Redis(server.url).on('error', () => {});
    ends.push(() => client.disconnect());
    for (const [name, fault] of Object.entries(redisFaults)) {
      const stage = { fleet, client, nodes: [server], sides: fleet.members, lease, marker: 'evalsha' };
      await fault(stage);
      await fleet.goesOn().catch((cause) => {
        throw new Error(`Not everybody is let in again after: ${name}`, { cause });
      });
    }
    await fleet.end();
    expect(fleet.referee.violations).toEqual([]);
    expect(fleet.referee.acquisitions).toBeGreaterThan(100);
    await until(async () => (await client.keys('*')).length === 0, 10_000);
  });
});

describe('a fail-over by Sentinel', () => {
  const sentinel = useRedisSentinel();

  it('leaves what the replica has heard of to its holders, and work goes on', {
    timeout: 60_000,
  }, async () => {
    const locks = createLocks({ coordinator: sentinel.url });
    ends.push(() => locks.close());
    const name = newName();
    const permit = await locks.acquire(name, { lease: '30s' });
    const { token } = permit;
    const replicated = new Redis(sentinel.replica.url);
    await until(async () => (await replicated.keys(`*${name}*`)).length === 1);
    replicated.disconnect();

    await sentinel.master.kill();
    const killed = performance.now();
    await until(async () => (await sentinel.currentMaster()) === sentinel.replica, 30_000);
    await until(async () => (await locks.inspect(name)).holders.length === 1, 10_000);

    expect(performance.now() - killed).toBeLessThan(25_000);
    expect(permit.held).toBe(true);
    expect(await locks.tryAcquire(name)).toBeUndefined();
    await permit.release();
    const next = await locks.acquire(name);
    expect(next.token).toBeGreaterThan(token);
    await next.release();
  });

  it('may give away again what the replica has not heard of', { timeout: 60_000 }, async () => {
    await until(async () => (await sentinel.currentMaster()) !== undefined, 30_000);
    const master = (await sentinel.currentMaster())!;
    const replica = master === sentinel.master ? sentinel.replica : sentinel.master;
    await replica.restart();
    const other = new Redis(replica.url).on('error', () => {});
    ends.push(() => other.disconnect());
    await until(async () => (await other.info('replication')).includes('master_link_status:up'), 30_000);
    const [ours, theirs] = [0, 1].map(() => createLocks({ coordinator: redisCoordinator(sentinel.url) }));
    const name = newName();
    await (await theirs!.acquire(newName())).release();
    // From now on the replica hears of nothing.
    await other.call('replicaof', '127.0.0.1', '1');
    const permit = await ours!.acquire(name, { lease: '12s' });
    await master.kill();
    await until(async () => (await sentinel.currentMaster()) === replica, 30_000);

    const second = await theirs!.acquire(name, { lease: '12s' });

    // Two hold it, until the first asks the new master and is told; what is written to can tell them apart by their tokens.
    expect(second.token).toBeGreaterThan(permit.token);
    await until(() => !permit.held, 20_000);
    expect(second.held).toBe(true);
    await Promise.all([ours!.close(), theirs!.close()]);
  });
});
