import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { CoordinatorUnavailableError } from '../../src/errors.js';
import type { Coordinator } from '../../src/locks/coordinator.js';
import type { Transaction } from '../../src/locks/etcd/client.js';
import type { EtcdParty } from '../../src/locks/etcd/party.js';
import { ask, busy, granted, hold, newId, renew, soon } from '../conformance/coordinator/kit.js';
import { errorOf } from '../support/error-of.js';
import { useShared } from '../support/servers/index.js';
import { until } from '../support/until.js';
import { holdersOf, RecordingClient, useParties } from './etcd-kit.js';
import { has, SlowClient } from './etcd-slow-client.js';

const server = useShared('etcd');
const { prefix, through } = useParties(server);
const [lease, capacity] = [2_000, 5];

/** A side whose calls can be held up. */
const connect = () => through(new SlowClient(server.url, prefix));

describe.each([
  ['try', false],
  ['place', true],
])('a %s that was not renewed in time', (_, line) => {
  it('is not granted by an answer that is older than its deletion', async () => {
    const { party, client } = connect();
    const request = ask(`outdated-${line}`, newId(), { lease, capacity, line });
    const first = granted(await party.enter(request));
    const look = client.answerLate('request_range');
    const asked = party.enter(request);
    await look.carriedOut;
    const deletion = client.answerLate('request_delete_range');
    await deletion.carriedOut;
    deletion.answer();
    await setImmediate();
    look.answer();

    const { grants } = granted(await asked);

    expect(grants[0]!.token).toBeGreaterThan(first.grants[0]!.token!);
  });

  it('is deleted by whoever asks for it again, if it could not be deleted before', async () => {
    const { party, client } = connect();
    const request = ask(`in-vain-${line}`, newId(), { lease, capacity, line, timeout: 1_000 });
    const first = granted(await party.enter(request));
    const { txn } = client.kv;
    let deletions = 0;
    client.kv.txn = (request, options) => {
      if (!has(request, 'request_delete_range')) return txn(request, options);
      deletions++;
      return new Promise(() => {});
    };
    await until(() => deletions > 0);
    expect(await errorOf(party.enter(request))).toBeInstanceOf(CoordinatorUnavailableError);
    client.kv.txn = txn;

    const { grants } = granted(await party.enter(request));

    expect(grants[0]!.token).toBeGreaterThan(first.grants[0]!.token!);
    expect(await renew(party, request.resource, grants[0]!.id, lease)).toBe('kept');
  });
});

describe('a permit', () => {
  /** While the session that its key is tied to goes on. */
  async function isDeleted(party: Coordinator, name: string): Promise<void> {
    const other = await hold(party, `${name}-other`, { lease });
    await until(async () => {
      expect(await renew(party, `${name}-other`, other, lease)).toBe('kept');
      return (await holdersOf(party, name)).length === 0;
    });
  }

  /** It is waited for, so the first renewal writes. */
  async function renewedTwice(name: string) {
    const { party, client } = connect();
    const id = newId();
    granted(await party.enter(ask(name, id, { lease, line: true })));
    const again = async () =>
      (await party.renew([{ resource: name, id, lease }], { timeout: 1_500 })).get(id);
    return { client, id, party, again };
  }

  it('stands for as long as its last renewal says, though an earlier one is carried out later', async () => {
    const { party, client, id, again } = await renewedTwice('overtaken');
    const write = client.holdUp('request_put');
    const first = again();
    await write.asked;
    await sleep(lease / 2);
    expect(await again()).toBe('kept');
    write.carryOut();
    expect(await first).toBe('kept');

    // The lease of the first is over, that of the second is not.
    await sleep((lease * 3) / 4);
    expect(await holdersOf(party, 'overtaken')).toEqual([id]);
  });

  it('is deleted when it lapses, though an earlier renewal was answered after the last', async () => {
    const { party, client, again } = await renewedTwice('answered-late');
    const write = client.answerLate('request_put');
    const first = again();
    await write.carriedOut;
    expect(await again()).toBe('kept');
    write.answer();
    expect(await first).toBe('kept');

    await isDeleted(party, 'answered-late');
  });

  it('stays with its side when another one could not take it over', async () => {
    const [alice, { party: bob, client }] = [through(new RecordingClient(server.url)).party, connect()];
    const id = await hold(alice, 'tried-to-take', { lease: 60_000 });
    const { txn } = client.kv;
    client.kv.txn = (request, options) =>
      has(request, 'request_put')
        ? Promise.reject(new Error('14 UNAVAILABLE: refused'))
        : txn(request, options);
    const renewal = { resource: 'tried-to-take', id, lease };
    expect(await errorOf(bob.renew([renewal], { timeout: 500 }))).toBeInstanceOf(CoordinatorUnavailableError);

    // It has lapsed there.
    await until(() => (bob as EtcdParty).size === 0, 10_000);
    expect(await holdersOf(alice, 'tried-to-take')).toEqual([id]);
    expect(await renew(alice, 'tried-to-take', id, 60_000)).toBe('kept');
  });

  it('is deleted when it lapses, though its last renewal was carried out and not answered', async () => {
    const { party, client, again } = await renewedTwice('unanswered');
    const { txn } = client.kv;
    client.kv.txn = async (request, options) => {
      const answer = await txn(request, options);
      return has(request, 'request_put') ? new Promise(() => {}) : answer;
    };
    expect(await errorOf(again())).toBeInstanceOf(CoordinatorUnavailableError);
    client.kv.txn = txn;

    await isDeleted(party, 'unanswered');
  });
});

describe('the key of a claim that was not answered for in time', () => {
  /** The session goes on, whatever becomes of its keys. */
  async function keepAlive(client: SlowClient): Promise<void> {
    const stream = await client.leaseClient.leaseKeepAlive();
    stream.on('error', () => {});
    const timer = setInterval(() => stream.write({ ID: client.granted[0]! }), 500);
    onTestFinished(() => {
      clearInterval(timer);
      stream.cancel();
    });
  }

  /** Asks for a place until it lapses; its key is put when that is carried out, which is too late. */
  async function askInVain(name: string) {
    const { party, client } = connect();
    const { txn } = client.kv;
    const stuck: Transaction[] = [];
    client.kv.txn = (request) => {
      stuck.push(request);
      return new Promise(() => {});
    };
    const request = ask(name, newId(), { lease, line: true, timeout: 1_000 });
    expect(await errorOf(party.enter(request))).toBeInstanceOf(CoordinatorUnavailableError);
    await keepAlive(client);
    await until(() => stuck.some((one) => !has(one, 'request_put')), 5_000);
    client.kv.txn = txn;
    const put = stuck.find((one) => has(one, 'request_put'))!;
    return { party, client, request: { ...request, ...soon }, putLate: () => txn(put) };
  }

  it.each([
    ['looked for', 'request_range'],
    ['deleted', 'request_delete_range'],
  ] as const)('may be %s late: whoever asks for it again has another', async (what, kind) => {
    const name = `late-${what.split(' ')[0]}`;
    const { party, client, request, putLate } = await askInVain(name);
    await putLate();
    const late = client.holdUp(kind);
    await late.asked;
    const { id } = granted(await party.enter(request)).grants[0]!;
    late.carryOut();
    await late.done;

    busy(await through(new RecordingClient(server.url)).party.enter(ask(name, newId())));
    expect(await renew(party, name, id, lease)).toBe('kept');
  });
});
