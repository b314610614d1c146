import { Redis } from 'ioredis';
import { createLocks } from 'lockkeeper';
import { redisCoordinator } from 'lockkeeper/redis';
import { describe, expect, it, onTestFinished } from 'vitest';
import { CoordinatorUnavailableError } from '../../src/errors.js';
import { ask, enters, hold, newId, soon } from '../conformance/coordinator/kit.js';
import { useRedis, useRedisSentinel, useShared } from '../support/servers/index.js';
import { until } from '../support/until.js';
import { Fleet } from './fleet.js';
import { holderSuite } from './holders.js';
import { loneServerSuite } from './lone-server.js';
import { redisFaults } from './redis-faults.js';
import { newName, nothingLeft, openSide } from './side.js';
import { useSide, useTwoSides } from './two-sides.js';
import { waiterSuite } from './waiters.js';

/** Milliseconds. */
const lease = 1_000;

const open = (server: { readonly url: string }) => openSide(server.url, redisCoordinator, { '*': { lease } });
const side = (server: { readonly url: string }) => useSide(() => open(server));
const sides = (server: { readonly url: string }) => useTwoSides(() => open(server));

describe('an answer that is lost', () => {
  const server = useShared('redis');

  it.each([
    ['a try', false],
    ['a place', true],
  ])('to %s: it is granted when it is asked for again, once', async (_, line) => {
    const [alice, bob] = await sides(server);
    const [name, id] = [newName(), newId()];
    await hold(alice.coordinator, newName(), { lease });
    const dropped = alice.proxies[0]!.dropReply(name);
    await expect(alice.coordinator.enter(ask(name, id, { line, lease }))).rejects.toBeInstanceOf(
      CoordinatorUnavailableError,
    );
    await dropped;

    await until(() => enters(alice.coordinator, name, id, { line, lease }));
    expect((await bob.coordinator.inspect(name, soon)).holders.map((holder) => holder.id)).toEqual([id]);
    await alice.coordinator.exit([{ resource: name, id }], soon);
    expect(await nothingLeft(bob.coordinator, name)).toBe(true);
  });

  it('to a try that nobody repeats: it is given back', async () => {
    const [alice, bob] = await sides(server);
    const name = newName();
    await (await alice.locks.acquire(newName())).release();
    const dropped = alice.proxies[0]!.dropReply(name);
    await expect(alice.locks.tryAcquire(name, { lease: '1m' })).rejects.toBeInstanceOf(
      CoordinatorUnavailableError,
    );
    await dropped;
    await until(() => nothingLeft(bob.coordinator, name));
  });
});

describe('a holder', () => {
  const server = useShared('redis');
  holderSuite({ url: () => server.url, lease, side: () => side(server) });
});

describe('whoever waits', () => {
  const server = useShared('redis');
  waiterSuite({ lease, side: () => side(server) });
});

describe('a server', () => {
  const server = useRedis({ persist: true });

  loneServerSuite(server, { lease, side: () => side(server) });

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
    onTestFinished(() => fleet.stop());
    const client = new Redis(server.url).on('error', () => {});
    onTestFinished(() => client.disconnect());
    for (const [name, fault] of Object.entries(redisFaults)) {
      const stage = { fleet, client, nodes: [server], sides: fleet.members, lease, marker: 'evalsha' };
      await fault(stage);
      await fleet.goesOn().catch((cause) => {
        throw new Error(`Not everybody is let in again after: ${name}`, { cause });
      });
    }
    await fleet.end();
    expect(fleet.violations).toEqual([]);
    expect(fleet.acquisitions).toBeGreaterThan(100);
    await until(async () => (await client.keys('*')).length === 0, 10_000);
  });
});

describe('a fail-over by Sentinel', () => {
  const sentinel = useRedisSentinel();

  it('leaves what the replica has heard of to its holders, and work goes on', {
    timeout: 60_000,
  }, async () => {
    const locks = createLocks({ coordinator: sentinel.url });
    onTestFinished(() => locks.close());
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
    onTestFinished(() => other.disconnect());
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
