import { describe, expect, it } from 'vitest';
import {
  ask,
  enters,
  exit,
  hold,
  newId,
  queued,
  renew,
  soon,
  standInLine,
} from '../conformance/coordinator/kit.js';
import { useShared } from '../support/servers/index.js';
import { until } from '../support/until.js';
import { holdersOf, operationsOf, type RecordingClient, useParties } from './etcd-kit.js';

const { raw, prefix, connect, recorded, keysOf } = useParties(useShared('etcd'));

/** Deletes that key with the next deletion that the client is asked for, and lets nobody know before that is told of. */
function deleteWithNext(client: RecordingClient, key: string): void {
  const { kv, watchClient } = client;
  let told = false;
  Object.assign(client, {
    watchClient: {
      watch: async () => {
        const stream = await watchClient.watch();
        stream.on('data', ({ events }) => {
          told ||= events.some((event) => event.type === 'Delete' && event.kv.key.toString() === key);
        });
        return stream;
      },
    },
    kv: {
      txn: async (...of: Parameters<typeof kv.txn>) => {
        if (!told && operationsOf(of[0]).some((operation) => 'request_delete_range' in operation)) {
          await raw().delete().key(key);
          await until(() => told);
        }
        return await kv.txn(...of);
      },
    },
  });
}

describe('a claim that another side has', () => {
  it('is renewed there from then on, by whoever entered or renewed it last', async () => {
    const [alice, bob] = [connect(), connect()];
    const lease = 2_000;
    // Whoever is connected needs less than a lease for what follows, however slow the machine.
    for (const party of [alice, bob]) await party.inspect('moves', soon);
    const held = await hold(alice, 'moves', { lease });
    const [before] = await keysOf('moves/');
    expect(await renew(bob, 'moves', held, 60_000)).toBe('kept');
    const [after] = await keysOf('moves/');
    expect(after!.key).toBe(before!.key);
    expect(after!.lease).not.toBe(before!.lease);
    await until(
      async () => (await raw().leaseClient.leaseTimeToLive({ ID: before!.lease })).TTL === '-1',
      10_000,
    );

    queued(await alice.enter(ask('moves', newId(), { line: true })));
    expect(await renew(alice, 'moves', held, 60_000)).toBe('kept');
    expect((await keysOf('moves/'))[0]!.lease).not.toBe(after!.lease);
    await exit(bob, 'moves', held);
    expect(await renew(alice, 'moves', held)).toBe('lost');
  });

  it('stands there, though a session of this side has ended unnoticed', async () => {
    const [alice, bob] = [connect(), connect()];
    const held = await hold(alice, 'stays');
    await hold(bob, 'other');
    const { lease } = (await keysOf('other/'))[0]!;
    await raw().leaseClient.leaseRevoke({ ID: lease });

    expect(await renew(bob, 'stays', held)).toBe('kept');

    expect(await holdersOf(alice, 'stays')).toEqual([held]);
    await exit(alice, 'stays', held);
  });

  it('may go there while it is looked at here: it stands here, at the end', async () => {
    const bob = connect();
    const { party: alice, client } = recorded();
    const held = await hold(bob, 'goes');
    const id = await standInLine(bob, 'goes');
    const [, { key }] = (await keysOf('goes/')) as [unknown, { key: string }];
    deleteWithNext(client, prefix + key);
    const other = await standInLine(alice, 'goes');

    expect(queued(await alice.enter(ask('goes', id, { line: true }))).ahead).toBe(1);

    await exit(bob, 'goes', held);
    expect(await enters(alice, 'goes', other, { line: true })).toBe(true);
    await exit(alice, 'goes', other);
    expect(await enters(alice, 'goes', id, { line: true })).toBe(true);
    await exit(alice, 'goes', id);
    expect(await alice.inspect('goes', soon)).toMatchObject({ holders: [], waiting: [] });
  });
});
