import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { CoordinatorUnavailableError } from '../../src/errors.js';
import { enters, exit, hold, newId, soon } from '../conformance/coordinator/kit.js';
import { useRawClient } from '../locks/etcd-kit.js';
import { useEtcd, useEtcdCluster, useShared } from '../support/servers/index.js';
import { until } from '../support/until.js';
import { etcdFaults } from './etcd-faults.js';
import { compact, leaderOf, lease, startSide } from './etcd-stage.js';
import { Fleet } from './fleet.js';
import { holderSuite } from './holders.js';
import { Load } from './load.js';
import { loneServerSuite } from './lone-server.js';
import { counts, newName, nothingLeft } from './side.js';
import { useSide, useTwoSides } from './two-sides.js';
import { waiterSuite } from './waiters.js';

const open = (server: { readonly url: string }) => startSide(server);
const side = (server: { readonly url: string }) => useSide(() => open(server));
const sides = (server: { readonly url: string }) => useTwoSides(() => open(server));

describe('an answer that is lost', () => {
  const server = useShared('etcd');

  it.each([
    ['a try', false],
    ['a place', true],
  ])('to %s: it is asked for again, and granted once', async (_, line) => {
    const [alice, bob] = await sides(server);
    const [name, id] = [newName(), newId()];
    await hold(alice.coordinator, newName(), { lease });
    const dropped = alice.proxies[0]!.dropReply(name);

    expect(await enters(alice.coordinator, name, id, { line, lease })).toBe(true);
    await dropped;

    const { holders, waiting } = await bob.coordinator.inspect(name, soon);
    expect([holders.map((holder) => holder.id), waiting]).toEqual([[id], []]);
    await exit(alice.coordinator, name, id);
    expect(await nothingLeft(bob.coordinator, name)).toBe(true);
  });

  it('to a try that nobody repeats: its key goes, though the session goes on', async () => {
    const [alice, bob] = await sides(server);
    const [name, other] = [newName(), newName()];
    const kept = await alice.locks.acquire(other);
    alice.all((proxy) => proxy.pause('replies'));
    await expect(hold(alice.coordinator, name, { lease, timeout: 300 })).rejects.toBeInstanceOf(
      CoordinatorUnavailableError,
    );
    await until(async () => (await counts(bob.coordinator, name)).holders === 1);
    alice.all((proxy) => proxy.cut());
    alice.all((proxy) => proxy.resume());

    await until(() => nothingLeft(bob.coordinator, name), 2 * lease);
    expect(kept.held).toBe(true);
    await kept.release();
  });
});

describe('a holder', () => {
  const server = useShared('etcd');
  holderSuite({ url: () => server.url, lease, side: () => side(server) });
});

describe('whoever waits', () => {
  const server = useEtcd();

  waiterSuite({ lease, side: () => side(server) });

  it('is not forgotten when etcd has forgotten what it missed', async () => {
    const [alice, bob] = await sides(server);
    const name = newName();
    const held = await bob.locks.acquire(name, { lease: '1m' });
    const waiting = alice.locks.acquire(name, { lease: '1m' });
    await until(async () => (await counts(bob.coordinator, name)).waiting === 1);
    alice.all((proxy) => proxy.stop());
    await held.release();
    await compact({ nodes: [server] });
    for (const proxy of alice.proxies) await proxy.accept();
    await (await waiting).release();
    await until(() => nothingLeft(bob.coordinator, name));
  });
});

describe('a server', () => {
  const server = useEtcd();

  loneServerSuite(server, { lease, side: () => side(server) });

  it('that comes back without its data: holders are told by the next renewal, and all goes on', async () => {
    const [alice] = await sides(server);
    const [name, other] = [newName(), newName()];
    const held = await alice.locks.acquire(name, { lease: '6s' });
    const { signal } = held;
    await server.kill();
    await rm(join(server.folder, 'data'), { recursive: true });
    await server.restart();

    await until(() => signal.aborted, 5_000);
    expect(signal.reason).toMatchObject({ code: 'PERMIT_LOST', loss: 'not-owner' });
    await (await alice.locks.acquire(other)).release();
  });
});

describe('of three servers', () => {
  const server = useEtcdCluster();

  it.each(['freeze', 'kill'] as const)(
    'the leader may %s: what is held is held on to, and all goes on',
    { timeout: 60_000 },
    async (what) => {
      const [alice, bob] = await sides(server);
      const load = new Load([alice.locks, bob.locks], [{ name: newName(), capacity: 2 }]);
      const held = await alice.locks.acquire(newName(), { lease: '15s' });
      await load.goesOn();

      const leader = await leaderOf(server);
      await leader[what]();
      await load.goesOn();
      expect(held.held).toBe(true);
      if (what === 'freeze') await leader.thaw();
      else await leader.restart();
      await load.goesOn();
      await load.end();
      expect(load.violations).toEqual([]);
      expect(held.held).toBe(true);
      await held.release();
    },
  );
});

describe('processes that never stop wanting the same permits', () => {
  const server = useEtcd();
  const raw = useRawClient(server);

  it('get no more than there are, whatever goes wrong', { timeout: 180_000 }, async () => {
    const capacities = { mutex: 1, semaphore: 3 };
    const fleet = await new Fleet({ url: server.url, workers: 3, lease, capacities }).start();
    onTestFinished(() => fleet.stop());
    for (const [name, fault] of Object.entries(etcdFaults)) {
      await fault({ fleet, nodes: [server], sides: fleet.members, lease, marker: 'lk/' });
      await fleet.goesOn().catch((cause) => {
        throw new Error(`Not everybody is let in again after: ${name}`, { cause });
      });
    }
    await fleet.end();
    expect(fleet.violations).toEqual([]);
    expect(fleet.acquisitions).toBeGreaterThan(100);
    await until(async () => (await raw().getAll().prefix('lk/').keys()).length === 0, 3 * lease);
  });
});
