import { afterAll, beforeAll, expect, it } from 'vitest';
import type {
  Comparison,
  EtcdClient,
  KeyValue,
  Operation,
  Transaction,
  TransactionAnswer,
  WatchEvent,
} from '../../src/locks/etcd/client.js';
import { rawClient } from '../locks/etcd-kit.js';
import { type SingleServer, startEtcd } from '../support/servers/index.js';
import { until } from '../support/until.js';
import { PlayedEtcd } from './etcd.js';
import { Random } from './random.js';
import { Timeline } from './timeline.js';

let server: SingleServer | undefined;
beforeAll(async () => {
  server = await startEtcd();
});
afterAll(() => server?.stop());

const names = ['a/1', 'a/2', 'a/3', 'b'].map((name) => Buffer.from(name));
const all = { key: Buffer.from('a'), range_end: Buffer.from('c') };
const below = { key: Buffer.from('a/'), range_end: Buffer.from('a0') };

/** Transactions such as the coordinator asks for, with numbers that may or may not be right. */
class AnyTransaction {
  readonly #random: Random;
  readonly #leases: readonly string[];

  constructor(random: Random, leases: readonly string[]) {
    this.#random = random;
    this.#leases = leases;
  }

  after(revision: number): Transaction {
    const compare = Array.from({ length: this.#random.upTo(2) }, () => this.#comparison(revision));
    const success = [this.#operation(revision), { request_range: all }];
    return { compare, success, failure: [this.#operation(revision), { request_range: below }] };
  }

  #comparison(revision: number): Comparison {
    const random = this.#random;
    const of = random.chance(0.3) ? below : { key: random.oneOf(names) };
    const result = random.oneOf(['Equal', 'Less'] as const);
    const about = (most: number) => String(Math.max(0, most - random.upTo(5)));
    return random.oneOf<Comparison>([
      { ...of, target: 'Create', result, create_revision: about(revision + 1) },
      { ...of, target: 'Create', result: 'Equal', create_revision: '0' },
      { ...of, target: 'Mod', result, mod_revision: about(revision + 1) },
    ]);
  }

  #operation(revision: number): Operation {
    const random = this.#random;
    const key = random.oneOf(names);
    const value = Buffer.from(String(random.upTo(1_000)));
    const success = [{ request_delete_range: { key } }];
    return random.oneOf<Operation>([
      { request_put: { key, value } },
      { request_put: { key, value, lease: random.oneOf(this.#leases) } },
      { request_put: { key, value, lease: random.oneOf(this.#leases) } },
      { request_delete_range: { key } },
      { request_range: { key } },
      { request_txn: { compare: [this.#comparison(revision)], success } },
    ]);
  }
}

const plain = ({ key, value, create_revision, mod_revision, lease }: KeyValue) => ({
  key: key.toString(),
  value: value.toString(),
  create_revision,
  mod_revision,
  lease,
});

const factsOf = ({ header, succeeded, responses }: TransactionAnswer) => ({
  revision: header.revision,
  succeeded,
  ranges: responses.map(({ response_range }) => (response_range?.kvs ?? []).map(plain).sort(byKey)),
});

const byKey = (a: { key: string }, b: { key: string }) => (a.key < b.key ? -1 : 1);

const told = (events: readonly WatchEvent[]) => events.map(({ type, kv }) => ({ type, ...plain(kv) }));

it('an etcd that is played answers, and tells what happened, as a real one does', async () => {
  const random = new Random(1);
  const played = new PlayedEtcd(new Timeline(), random);
  const raw = rawClient(server!.url);
  const client = raw as unknown as EtcdClient;
  const events: Record<'played' | 'real', WatchEvent[]> = { played: [], real: [] };
  const leases: string[] = [];
  for (let i = 0; i < 3; i++) {
    const { ID } = played.grant(600);
    await client.leaseClient.leaseGrant({ TTL: 600, ID } as { TTL: number });
    leases.push(ID);
  }
  const transactions = new AnyTransaction(random, leases);
  const stream = await client.watchClient.watch();
  stream.on('data', (answer) => events.real.push(...answer.events));
  stream.on('error', () => {});

  for (let i = 0; i < 1_000; i++) {
    const request = transactions.after(i);
    expect(factsOf(played.transact(request))).toEqual(factsOf(await client.kv.txn(request)));
  }
  played.revoke(leases[0]!);
  await client.leaseClient.leaseRevoke({ ID: leases[0]! });
  stream.write({ create_request: { ...all, watch_id: '1', start_revision: '2' } });
  const tell = ({ events: some }: { events: readonly WatchEvent[] }) => events.played.push(...some);
  played.watch({ id: '1', range: all, tell }, 2);
  await until(() => events.real.length >= events.played.length);

  expect(told(events.played)).toEqual(told(events.real));
  stream.cancel();
  raw.close();
});
