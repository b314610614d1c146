import { describe, expect, it } from 'vitest';
import {
  ask,
  busy,
  enters,
  exit,
  granted,
  hold,
  newId,
  renew,
  soon,
  standInLine,
} from '../conformance/coordinator/kit.js';
import { useShared } from '../support/servers/index.js';
import { until } from '../support/until.js';
import { operationsOf, useParties } from './etcd-kit.js';

const { raw, prefix, connect, recorded, keysOf } = useParties(useShared('etcd'));

describe('the keys in etcd', () => {
  it('are named by the lease they are tied to, as in Go, and say whose they are', async () => {
    const party = connect();
    const id = newId();
    const claim = { id, task: 'save', message: 'm-1' };
    const { grants } = granted(await party.enter(ask('layout', claim, { owner: 'host:1:x', lease: 15_000 })));

    const [only, ...others] = await keysOf('layout/');

    expect(others).toEqual([]);
    const hex = BigInt(only!.lease).toString(16);
    expect(only!.key).toBe(`layout/${hex}`);
    expect(JSON.parse(only!.value)).toEqual({
      lockkeeper: 1,
      id,
      owner: 'host:1:x',
      task: 'save',
      message: 'm-1',
      weight: 1,
      capacity: 1,
      lease: 15_000,
      since: expect.any(Number),
      rank: 0,
      held: true,
    });
    expect(grants[0]!.token).toBe(only!.created * 1_000n);
  });

  it('of all claims whose leases last equally long are tied to one lease', async () => {
    const party = connect();
    await hold(party, 'session-a', { lease: 15_000 });
    await hold(party, 'session-b', { lease: 14_100 });
    await hold(party, 'session-c', { lease: 30_000 });

    const keys = ['a', 'b', 'c'].map(async (name) => (await keysOf(`session-${name}/`))[0]);
    const [a, b, c] = await Promise.all(keys);

    expect(b!.lease).toBe(a!.lease);
    expect(c!.lease).not.toBe(a!.lease);
    const { grantedTTL } = await raw().leaseClient.leaseTimeToLive({ ID: a!.lease });
    expect(grantedTTL).toBe('15');
  });

  it('of a capacity and a pause lie beside the line, where no lock of Go takes them for a holder', async () => {
    const party = connect();
    await party.setCapacity('beside', 5, soon);
    await party.pause('beside', 30_000, { ...soon, reason: 'moving house' });

    expect((await keysOf('beside')).map(({ key, value }) => [key, value])).toEqual([
      ['beside%cap', '5'],
      ['beside%pause', '{"ms":30000,"reason":"moving house"}'],
    ]);
    await raw().put(`${prefix}beside%cap`).value('7');
    await party.pause('beside', 0, soon);
    expect(await party.inspect('beside', soon)).toMatchObject({ capacity: 7, override: { capacity: 7 } });
  });

  it('of one name are not below another', async () => {
    const party = connect();
    await hold(party, 'a/b');
    expect((await keysOf('a%2Fb/')).length).toBe(1);
    expect((await party.inspect('a', soon)).holders).toEqual([]);
    await hold(party, 'a%2Fb');
    expect((await keysOf('a%252Fb/')).length).toBe(1);
  });

  it('leave no lease behind: not of a pause that is ended, nor of a session that nobody needs', async () => {
    const { party, client } = recorded();
    const stands = async (ID: string) => (await raw().leaseClient.leaseTimeToLive({ ID })).TTL !== '-1';
    const leases = async () => (await Promise.all(client.granted.map(stands))).filter(Boolean).length;
    await party.pause('tidy', 30_000, soon);
    await party.pause('tidy', 60_000, soon);
    await party.pause('tidy', 0, soon);
    await party.setCapacity('tidy', 3, { ...soon, expiresIn: 60_000 });
    await party.setCapacity('tidy', undefined, soon);
    await exit(party, 'tidy', await hold(party, 'tidy'));
    expect(await leases()).toBe(1);

    await party.close();

    expect(await leases()).toBe(0);
  });
});

describe('keys that other programs put in the line', () => {
  async function foreign(name: string, ttl = 60) {
    const lease = raw().lease(ttl);
    const id = BigInt(await lease.grant()).toString(16);
    const key = `${prefix}${name}/${id}`;
    await lease.put(key).value('');
    return { id, key, end: () => lease.revoke() };
  }

  it('hold all there is, whatever the capacity', async () => {
    const [alice] = [connect()];
    const other = await foreign('shared');
    busy(await alice.enter(ask('shared', newId(), { capacity: 10 })));
    const place = await standInLine(alice, 'shared', { capacity: 10 });
    let calls = 0;
    alice.wake({ resource: 'shared', id: place }, () => calls++);

    await other.end();

    await until(() => calls > 0);
    expect(await enters(alice, 'shared', place, { capacity: 10, line: true })).toBe(true);
  });

  it('wait for all permits that came before, and let nobody past', async () => {
    const alice = connect();
    const held = await hold(alice, 'behind', { capacity: 2 });
    const other = await foreign('behind');

    busy(await alice.enter(ask('behind', newId(), { capacity: 2 })));
    const { holders, waiting } = await alice.inspect('behind', { timeout: 5_000 });
    expect(holders.map(({ id }) => id)).toEqual([held]);
    expect(waiting).toMatchObject([{ id: other.id, owner: `lease ${other.id}`, foreign: true, weight: 2 }]);
    await other.end();
  });

  it('are shown, and can be evicted by what they are shown as', async () => {
    const alice = connect();
    const other = await foreign('shown');
    const [holder] = (await alice.inspect('shown', soon)).holders;
    expect(holder).toMatchObject({ id: other.id, owner: `lease ${other.id}`, weight: 1, foreign: true });
    const left = holder!.until - Date.now();
    expect(left).toBeGreaterThan(50_000);
    expect(left).toBeLessThanOrEqual(60_000);

    expect(await alice.evict({ resource: 'shown', id: other.id }, soon)).toBe(true);

    expect(await keysOf('shown/')).toEqual([]);
    await other.end();
  });

  it('count also when their values mean something else', async () => {
    const alice = connect();
    for (const value of ['{', '{"id":"x"}', '[]', 'null', '"text"', '\u0000']) {
      await raw().put(`${prefix}values/x`).value(value);
      busy(await alice.enter(ask('values', newId())));
      expect((await alice.inspect('values', soon)).holders).toMatchObject([{ id: 'x', foreign: true }]);
    }
    await raw().delete().key(`${prefix}values/x`);
  });

  it('do no harm where settings are', async () => {
    const alice = connect();
    for (const value of ['', 'five', '0', '-1', '1e99', '{}']) {
      await raw().put(`${prefix}odd%cap`).value(value);
      const id = await hold(alice, 'odd');
      expect((await alice.inspect('odd', soon)).override).toBeUndefined();
      await exit(alice, 'odd', id);
    }
    await raw().delete().key(`${prefix}odd%cap`);
    await raw().put(`${prefix}odd%pause`).value('by hand');
    expect(busy(await alice.enter(ask('odd', newId()))).retryAfter).toBe(1_000);
    await raw().delete().key(`${prefix}odd%pause`);
    await hold(alice, 'odd');
  });
});

describe('the calls', () => {
  it('are two for a pair that finds room: one that puts the key, and one that deletes it', async () => {
    const { party, client } = recorded();
    await exit(party, 'warm', await hold(party, 'warm', { lease: 15_000 }));
    client.forget();
    for (const line of [false, true]) {
      await exit(party, 'free', await hold(party, 'free', { lease: 15_000, line }));
    }
    expect(client.transactions).toHaveLength(4);
    expect(client.leases).toBe(0);
    expect(client.watches).toBe(0);
    expect(client.keepAlives).toBeLessThanOrEqual(1);
  });

  it('are two for a pair that waits', async () => {
    const alice = connect();
    const { party, client } = recorded();
    const terms = { lease: 15_000, capacity: 3, weight: 2 };
    await exit(party, 'warm', await hold(party, 'warm', { lease: 15_000 }));
    const held = await hold(alice, 'waits', terms);
    client.forget();
    const place = await standInLine(party, 'waits', terms);
    let calls = 0;
    party.wake({ resource: 'waits', id: place }, () => calls++);

    await exit(alice, 'waits', held);
    await until(() => calls > 0);
    granted(await party.enter(ask('waits', place, { ...terms, line: true })));
    await exit(party, 'waits', place);

    expect(client.transactions).toHaveLength(2);
    expect(client.watches).toBe(1);
  });

  it('are one for a try that is refused, and write nothing', async () => {
    const alice = connect();
    const { party, client } = recorded();
    await exit(party, 'warm', await hold(party, 'warm'));
    await hold(alice, 'refuses', { capacity: 3, weight: 3 });
    const revision = async () => (await raw().get(`${prefix}x`).exec()).header.revision;
    const before = await revision();
    client.forget();
    busy(await party.enter(ask('refuses', newId(), { capacity: 3 })));
    expect(client.transactions).toHaveLength(1);
    expect(await revision()).toBe(before);
    expect(await keysOf('refuses/')).toHaveLength(1);
  });

  it('are one for a try that an operator has refused since this side last looked', async () => {
    const [operator, { party, client }] = [connect(), recorded()];
    const terms = { capacity: 3 };
    await hold(party, 'operated', terms);
    const isRefused = async () => {
      client.forget();
      busy(await party.enter(ask('operated', newId(), terms)));
      expect(client.transactions).toHaveLength(1);
    };

    await operator.setCapacity('operated', 1, soon);
    await isRefused();
    await operator.setCapacity('operated', undefined, soon);
    await hold(party, 'operated', terms);
    await operator.pause('operated', 60_000, soon);
    await isRefused();
    await operator.pause('operated', 0, soon);
    await hold(party, 'operated', terms);
  });

  it('are one to renew many permits, and one that keeps their session alive', async () => {
    const { party, client } = recorded();
    const permits = [];
    for (let i = 0; i < 20; i++) {
      const resource = `renews-${i % 4}`;
      permits.push({
        resource,
        id: await hold(party, resource, { capacity: 9, lease: 15_000 }),
        lease: 15_000,
      });
    }
    client.forget();
    const answers = await party.renew(permits, soon);
    expect(new Set(answers.values())).toEqual(new Set(['kept']));
    expect(client.transactions).toHaveLength(1);
    expect(client.keepAlives).toBeLessThanOrEqual(1);
    await party.exit(permits, soon);
    expect(client.transactions).toHaveLength(2);
  });

  it('tell etcd once, with the first renewal, that what was waited for is a permit', async () => {
    const alice = connect();
    const { party, client } = recorded();
    const held = await hold(alice, 'tells', { capacity: 2, weight: 2 });
    const place = await standInLine(party, 'tells', { capacity: 2, lease: 15_000 });
    await exit(alice, 'tells', held);
    await until(() => enters(party, 'tells', place, { capacity: 2, lease: 15_000, line: true }));
    client.forget();
    for (const writes of [1, 1]) {
      expect(await renew(party, 'tells', place, 15_000)).toBe('kept');
      expect(client.writes).toBe(writes);
    }

    // From then on it is seen to hold, whatever the capacity.
    const second = await hold(party, 'tells', { capacity: 2 });
    await alice.setCapacity('tells', 1, soon);
    const { holders, waiting } = await alice.inspect('tells', soon);
    expect(holders.map(({ id }) => id)).toEqual([place, second]);
    expect(waiting).toEqual([]);
    await alice.setCapacity('tells', undefined, soon);
  });

  it('touch nothing but what belongs to the resource', async () => {
    const { party, client } = recorded();
    const name = 'own';
    const below = [`${prefix}${name}/`, `${prefix}${name}%c`, `${prefix}${name}%pause`];
    const held = await hold(party, name, { capacity: 2 });
    const message = newId();
    await party.enter(ask(name, { id: newId(), message, redelivered: true }, { capacity: 2 }));
    await standInLine(party, name, { capacity: 2, weight: 2 });
    await party.setCapacity(name, 3, soon);
    await party.pause(name, 30_000, soon);
    await party.inspect(name, soon);
    await party.renew([{ resource: name, id: newId(), lease: 15_000 }], soon);
    await party.evict({ resource: name, id: held }, soon);
    await exit(party, name, held, newId());
    await party.pause(name, 0, soon);
    await party.setCapacity(name, undefined, soon);

    const touched = client.transactions.flatMap((request) => [
      ...(request.compare ?? []),
      ...operationsOf(request).map(
        (operation) => Object.values(operation)[0]! as { key: Buffer; range_end?: Buffer },
      ),
    ]);
    expect(touched.length).toBeGreaterThan(30);
    for (const { key, range_end } of touched) {
      expect(
        below.some((start) => key.toString().startsWith(start)),
        key.toString(),
      ).toBe(true);
      if (range_end) expect([`${prefix}${name}0`, `${prefix}${name}%q`]).toContain(range_end.toString());
    }
  });
});

describe('tokens', () => {
  it('of claims that are granted together rise from one to the next', async () => {
    const party = connect();
    const ids = Array.from({ length: 150 }, newId);
    const { grants } = granted(await party.enter(ask('many', ids, { capacity: 200 })));
    expect(grants.map(({ id }) => id)).toEqual(ids);
    const tokens = grants.map(({ token }) => token!);
    expect(tokens).toEqual([...new Set(tokens)].sort((a, b) => (a < b ? -1 : 1)));
    expect((await party.inspect('many', soon)).holders.map(({ token }) => token)).toEqual(tokens);
    await party.exit(
      ids.map((id) => ({ resource: 'many', id })),
      soon,
    );
    expect((await party.inspect('many', soon)).holders).toEqual([]);
  });
});
