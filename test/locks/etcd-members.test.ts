import { createServer, type Http2Server, type ServerHttp2Stream } from 'node:http2';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { EtcdClient, Transaction, TransactionAnswer } from '../../src/locks/etcd/client.js';
import { Members } from '../../src/locks/etcd/grpc/members.js';
import { Reader, Writer } from '../../src/locks/etcd/grpc/protobuf.js';
import { root, runNode } from '../support/program.js';
import { useShared } from '../support/servers/index.js';
import { until } from '../support/until.js';
import { hostsOf, newPrefix, useRawClient } from './etcd-kit.js';

const closing: { close(): unknown }[] = [];

afterEach(() => {
  for (const one of closing.splice(0)) one.close();
});

function ask(urls: readonly string[], signIn?: () => Promise<string>): Members {
  const members = new Members({ urls, credentials: {}, signIn });
  closing.push(members);
  return members;
}

const within = (ms: number) => ({ deadline: Date.now() + ms });

describe('transactions as they are sent', () => {
  const server = useShared('etcd');
  const etcd3 = useRawClient(server);
  const key = (name: string) => Buffer.from(name);

  /** What both clients are answered with, which is the same. */
  async function both(request: Transaction): Promise<TransactionAnswer> {
    const answer = await ask(hostsOf(server.url)).transact(request);
    const other = await (etcd3() as EtcdClient).kv.txn(request);
    expect(answer.succeeded).toBe(other.succeeded);
    expect(answer.header.revision).toBe(other.header.revision);
    expect(answer.responses.map(keysIn)).toEqual(other.responses.map(keysIn));
    return answer;
  }

  const keysIn = ({
    response_range,
    response_put,
    response_delete_range,
  }: TransactionAnswer['responses'][number]) =>
    [response_put?.prev_kv ?? [], response_range?.kvs ?? [], response_delete_range?.prev_kvs ?? []]
      .flat()
      .map(({ key, value, create_revision, mod_revision, lease }) => ({
        key: key.toString(),
        value: value.toString(),
        create_revision,
        mod_revision,
        lease,
      }));

  it('are answered as those of etcd3 are', async () => {
    const from = newPrefix();
    const [first, second] = [key(`${from}a`), key(`${from}ü`)];
    const range = { key: key(from), range_end: key(`${from.slice(0, -1)}0`) };
    const lease = (await etcd3().leaseClient.leaseGrant({ TTL: 60, ID: '-7000000000000000123' })).ID;
    const write = { key: first, value: Buffer.from('long'.repeat(10_000)), lease, prev_kv: true };
    const put = { request_put: write };
    await ask(hostsOf(server.url)).transact({ success: [put] });
    const written = await ask(hostsOf(server.url)).transact({
      compare: [{ key: second, target: 'Create', result: 'Equal', create_revision: '0' }],
      success: [{ request_put: { key: second, value: Buffer.alloc(0) } }, put],
    });
    expect(written.succeeded).toBe(true);
    expect(written.responses.map((one) => keysIn(one).length)).toEqual([0, 1]);

    const { revision } = written.header;
    const look = [{ request_range: range }, { request_range: { ...range, keys_only: true } }];
    const answer = await both({ success: look });
    expect(answer.responses[0]?.response_range?.kvs).toMatchObject([
      { lease, mod_revision: revision },
      { lease: '0' },
    ]);
    expect(answer.responses[1]?.response_range?.kvs[0]?.value).toHaveLength(0);
    await both({
      compare: [{ ...range, target: 'Mod', result: 'Less', mod_revision: revision }],
      failure: [{ request_txn: { success: look } }, { request_range: { key: first } }],
    });
    await both({
      compare: [{ key: second, target: 'Mod', result: 'Equal', mod_revision: revision }],
      success: [{ request_range: { key: key(`${from}none`) } }],
    });
    const gone = await ask(hostsOf(server.url)).transact({
      success: [{ request_delete_range: { ...range, prev_kv: true } }],
    });
    expect(gone.responses.flatMap(keysIn)).toMatchObject([{ lease }, { value: '' }]);
    await both({ success: look });
  });

  it('are refused with what etcd says', async () => {
    const put = { key: key(newPrefix()), value: Buffer.alloc(0), lease: '123456789' };
    const refused = ask(hostsOf(server.url)).transact({ success: [{ request_put: put }] });
    await expect(refused).rejects.toMatchObject({
      code: 5,
      message: 'etcdserver: requested lease not found',
    });
  });
});

describe('the bytes of a message', () => {
  const numbers = [0, 1, 127, 128, 16_383, 16_384, 2 ** 32, Number.MAX_SAFE_INTEGER];

  it.each(numbers)('hold the number %d', (value) => {
    const writer = new Writer(1);
    writer.number(99, value);
    const reader = new Reader(writer.done(0));
    expect(reader.next()).toBe(true);
    expect([reader.field, reader.number(), reader.next()]).toEqual([99, value, false]);
  });

  it.each(['0', '300', '9007199254740993', '9223372036854775807', '-1', '-9223372036854775808'])(
    'hold %s, of 64 bits',
    (digits) => {
      const writer = new Writer(1);
      writer.long(1, digits);
      const reader = new Reader(writer.done(0));
      reader.next();
      expect([reader.long(), reader.next()]).toEqual([digits, false]);
    },
  );

  it('hold fields that nobody knows, which are skipped', () => {
    const fixed = Buffer.from([(1 << 3) | 1, 1, 2, 3, 4, 5, 6, 7, 8, (2 << 3) | 5, 1, 2, 3, 4]);
    const writer = new Writer(1);
    writer.number(5, 42);
    writer.message(4, () => writer.bytes(1, Buffer.from('in')));
    writer.number(3, 2 ** 50);
    const reader = new Reader(Buffer.concat([fixed, writer.done(0)]));
    while (reader.next() && reader.field !== 5) reader.skip();
    expect(reader.number()).toBe(42);
  });

  it.each([1, 4, 9])('are an error when %d of them are missing', (missing) => {
    const writer = new Writer();
    writer.bytes(1, Buffer.from('complete'));
    const bytes = writer.done(0);
    const reader = new Reader(bytes.subarray(0, bytes.length - missing));
    expect(() => {
      while (reader.next()) reader.bytes();
    }).toThrow('too short');
  });
});

/** A member that answers as a test says. */
class Member {
  readonly #server: Http2Server = createServer();
  readonly tokens: unknown[] = [];
  readonly timeouts: unknown[] = [];
  connections = 0;
  calls = 0;
  answer: (stream: ServerHttp2Stream) => void = succeed;

  async start(): Promise<this> {
    this.#server.on('session', () => this.connections++);
    this.#server.on('stream', (stream, headers) => {
      this.calls++;
      this.tokens.push(headers.token);
      this.timeouts.push(headers['grpc-timeout']);
      stream.on('error', () => {});
      stream.resume();
      stream.on('end', () => this.answer(stream));
    });
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    closing.push(this.#server);
    return this;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }
}

const grpc = { ':status': 200, 'content-type': 'application/grpc' };
/** Succeeded, at revision 7. */
const message = Buffer.from([0, 0, 0, 0, 6, 0x0a, 2, 0x18, 7, 0x10, 1]);

function succeed(stream: ServerHttp2Stream, bytes: readonly Buffer[] = [message]): void {
  stream.respond(grpc, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
  const [first, ...rest] = bytes;
  stream.write(first!);
  if (rest.length === 0) stream.end();
  else setImmediate(() => void Promise.resolve(rest).then(([next]) => stream.end(next)));
}

const refuse = (status: number, text: string) => (stream: ServerHttp2Stream) =>
  stream.respond({ ...grpc, 'grpc-status': String(status), 'grpc-message': text }, { endStream: true });

describe('a member', () => {
  it('may answer in pieces', async () => {
    const member = await new Member().start();
    member.answer = (stream) => succeed(stream, [message.subarray(0, 3), message.subarray(3)]);
    const answer = await ask([member.url]).transact({});
    expect(answer).toEqual({ header: { revision: '7' }, succeeded: true, responses: [] });
  });

  it.each([
    [
      'less than it says it does',
      (stream) => succeed(stream, [message.subarray(0, -2)]),
      'the connection ended',
    ],
    [
      'as no etcd does',
      (stream) => stream.respond({ ':status': 502 }, { endStream: true }),
      'HTTP, and not of etcd: 502',
    ],
    ['a refusal', refuse(7, 'etcdserver: per%6Dission denied'), 'etcdserver: permission denied'],
    ['a refusal that is hard to read', refuse(7, '100% no'), '100% no'],
    ['a refusal without a word', refuse(13, ''), 'status 13'],
    ['by ending the connection', (stream) => stream.session?.destroy(), 'the connection ended'],
  ] satisfies [string, Member['answer'], string][])('may answer %s', async (_, answer, told) => {
    const member = await new Member().start();
    member.answer = answer;
    const members = ask([member.url]);
    await expect(members.transact({}, within(5_000))).rejects.toThrow(told);
    member.answer = succeed;
    await expect(members.transact({}, within(5_000))).resolves.toMatchObject({ succeeded: true });
  });

  it('is asked over one connection, and over another when that one is silent', async () => {
    const member = await new Member().start();
    const members = ask([member.url]);
    await Promise.all([members.transact({}), members.transact({})]);
    expect(member.connections).toBe(1);

    member.answer = () => {};
    await expect(members.transact({}, within(50))).rejects.toThrow('no answer in time');
    member.answer = succeed;
    await members.transact({});
    expect(member.connections).toBe(2);
  });

  it('whose connection is silent fails all that is under way, for it to be asked again', async () => {
    const member = await new Member().start();
    const members = ask([member.url]);
    await members.transact({});
    member.answer = () => {};
    const patient = members.transact({}, within(60_000));
    await expect(members.transact({}, within(50))).rejects.toThrow('no answer in time');
    await expect(patient).rejects.toThrow('the connection ended');
  });

  it('that is slow with one call is not left in the middle of the others', async () => {
    const member = await new Member().start();
    const members = ask([member.url]);
    const silent: ServerHttp2Stream[] = [];
    member.answer = (stream) => void silent.push(stream);
    const slow = members.transact({}, within(100));
    const other = members.transact({}, within(60_000));
    await until(() => silent.length === 2);
    member.answer = succeed;
    await members.transact({});
    await expect(slow).rejects.toThrow('no answer in time');
    succeed(silent[1]!);
    await expect(other).resolves.toMatchObject({ succeeded: true });
  });

  it('is not taken to be silent by a process that stood still', async () => {
    const member = await new Member().start();
    const members = ask([member.url]);
    await members.transact({});
    const waiting: ServerHttp2Stream[] = [];
    member.answer = (stream) => void waiting.push(stream);
    const patient = members.transact({}, within(60_000));
    await until(() => waiting.length === 1);
    member.answer = (stream) => {
      succeed(stream);
      setImmediate(() => standStill(100));
    };
    const late = members.transact({}, within(20));
    await late.catch(() => {});
    succeed(waiting[0]!);
    await expect(patient).resolves.toMatchObject({ succeeded: true });
  });

  it('is told how long it has, as long as gRPC can say it', async () => {
    const member = await new Member().start();
    const members = ask([member.url]);
    await members.transact({}, within(864_000_000));
    expect(member.timeouts).toEqual(['99999999m']);
  });

  it('that accepts connections and says nothing keeps no process alive', { timeout: 20_000 }, async () => {
    const mute = createTcpServer({ allowHalfOpen: true }, (socket) => {
      closing.push({ close: () => socket.destroy() });
    });
    await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve));
    closing.push(mute);
    const url = `http://127.0.0.1:${(mute.address() as AddressInfo).port}`;
    const ran = await runNode([
      ...['--import', 'tsx', '--input-type=module', '-e'],
      `
      import { Members } from ${JSON.stringify(join(root, 'src/locks/etcd/grpc/members.ts'))};
      const members = new Members({ urls: [${JSON.stringify(url)}], credentials: {}, signIn: undefined });
      const calls = [100, 500].map((ms) => members.transact({}, { deadline: Date.now() + ms }));
      console.log(...(await Promise.allSettled(calls)).map(({ status }) => status));
      members.close();
      `,
    ]);
    expect(ran).toEqual({ code: 0, errors: '', output: 'rejected rejected\n' });
  });

  it('that goes away finishes what it was asked, and is asked anew', async () => {
    const member = await new Member().start();
    const members = ask([member.url]);
    member.answer = (stream) => {
      stream.session?.goaway();
      setTimeout(() => succeed(stream), 50);
    };
    await expect(members.transact({})).resolves.toMatchObject({ succeeded: true });
    member.answer = succeed;
    await expect(members.transact({})).resolves.toMatchObject({ succeeded: true });
    expect(member.connections).toBe(2);
  });
});

function standStill(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

describe('several members', () => {
  const pairOf = async () => {
    const all = [await new Member().start(), await new Member().start()] as const;
    return { all, members: ask(all.map(({ url }) => url)) };
  };

  it.each([
    ['is silent', () => {}],
    ['cannot answer', refuse(14, 'etcdserver: no leader')],
    ['was too slow', refuse(4, 'context deadline exceeded')],
    ['ends the connection', (stream) => stream.session?.destroy()],
  ] satisfies [string, Member['answer']][])('take turns when one %s', async (_, answer) => {
    const { all, members } = await pairOf();
    await members.transact({});
    const [one, other] = all[0].calls > 0 ? all : [all[1], all[0]];
    one.answer = answer;
    await expect(members.transact({}, within(100))).rejects.toThrow();
    for (let i = 0; i < 3; i++) await members.transact({});
    expect([one.calls, other.calls]).toEqual([2, 3]);
  });

  it('are not changed for a refusal', async () => {
    const { all, members } = await pairOf();
    for (const one of all) one.answer = refuse(5, 'etcdserver: requested lease not found');
    for (let i = 0; i < 3; i++) await expect(members.transact({})).rejects.toThrow('lease not found');
    expect(all.map(({ calls }) => calls).sort()).toEqual([0, 3]);
  });

  it('are asked though one cannot be reached', async () => {
    const member = await new Member().start();
    const members = ask(['http://127.0.0.1:1', member.url]);
    await members.transact({}, within(1_000)).catch(() => {});
    await expect(members.transact({})).resolves.toMatchObject({ succeeded: true });
  });
});

describe('one who has signed in', () => {
  it('shows the token, and signs in anew when it is not valid any more', async () => {
    const member = await new Member().start();
    let given = 0;
    const members = ask([member.url], async () => `token-${++given}`);
    await members.transact({});
    member.answer = refuse(16, 'etcdserver: invalid auth token');
    await expect(members.transact({})).rejects.toThrow('invalid auth token');
    member.answer = succeed;
    await members.transact({});
    expect(member.tokens).toEqual(['token-1', 'token-1', 'token-2']);
  });

  it('signs in once, though many are told that a token is not valid any more', async () => {
    const member = await new Member().start();
    let given = 0;
    const members = ask([member.url], async () => `token-${++given}`);
    const asked: ServerHttp2Stream[] = [];
    member.answer = (stream) => void asked.push(stream);
    const refused = [members.transact({}), members.transact({})].map((call) => call.catch(() => 'refused'));
    await until(() => asked.length === 2);
    const tellOutdated = refuse(16, 'etcdserver: invalid auth token');
    tellOutdated(asked[0]!);
    await refused[0];
    member.answer = succeed;
    await members.transact({});
    tellOutdated(asked[1]!);
    await refused[1];
    await members.transact({});
    expect(member.tokens).toEqual(['token-1', 'token-1', 'token-2', 'token-2']);
  });

  it('asks nothing when its time is over by then, or all is closed', async () => {
    const member = await new Member().start();
    let signIn = (_token: string) => {};
    const members = ask([member.url], () => new Promise((resolve) => (signIn = resolve)));
    const late = members.transact({}, within(20));
    const closed = members.transact({}, within(10_000));
    await new Promise((resolve) => setTimeout(resolve, 50));
    members.close();
    signIn('token');
    await expect(late).rejects.toThrow('no time was left');
    await expect(closed).rejects.toThrow('closed');
    expect([member.calls, member.connections]).toEqual([0, 0]);
  });

  it('tries again after it could not', async () => {
    const member = await new Member().start();
    let reachable = false;
    const members = ask([member.url], async () => {
      if (!reachable) throw new Error('nobody there');
      return 'token';
    });
    await expect(members.transact({})).rejects.toThrow('nobody there');
    reachable = true;
    await members.transact({});
    expect(member.tokens).toEqual(['token']);
  });
});
