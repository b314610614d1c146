import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { ResultStoreUnavailableError } from '../../src/errors.js';
import { openChannel } from '../../src/rabbitmq/channel.js';
import { RabbitConnection } from '../../src/rabbitmq/connection.js';
import { rabbitFrom } from '../../src/rabbitmq/open.js';
import type { ResultStore } from '../../src/results/result-store.js';
import { rpcResults } from '../../src/results/rpc.js';
import { finals, newId, passing, ttl } from '../conformance/result-store/kit.js';
import { sendingResultStoreSuite } from '../conformance/result-store.js';
import { runNode } from '../support/program.js';
import { startProxy } from '../support/proxy.js';
import { useShared } from '../support/servers/index.js';
import { until } from '../support/until.js';

const server = useShared('rabbitmq');
const dies = fileURLToPath(new URL('dies.ts', import.meta.url));

sendingResultStoreSuite('rpc', {
  connect: async () => rpcResults(server.url),
  pass: async () => {},
});

const addressOf = async (store: ResultStore) => ({ to: (await store.address?.()) as string });

it('misses nothing that is sent while its connection is cut', async () => {
  using proxy = await startProxy(server.url);
  const [worker, caller] = [rpcResults(server.url), rpcResults(proxy.url(server.url))];
  const reply = await addressOf(caller);
  const ids = Array.from({ length: 20 }, newId);
  const told: string[] = [];
  for (const id of ids) await caller.watch(id, () => told.push(id));

  proxy.refuse();
  proxy.cut();
  for (const id of ids) await worker.put(id, finals[0]!, ttl, reply);
  expect(told).toEqual([]);
  await proxy.accept();

  await until(() => told.length === ids.length);
  expect(told).toEqual(ids);
  await Promise.all([worker.close(), caller.close()]);
});

it('misses nothing that was on its way when its connection was cut', async () => {
  using proxy = await startProxy(server.url);
  const [worker, caller] = [rpcResults(server.url), rpcResults(proxy.url(server.url))];
  const reply = await addressOf(caller);
  const connection = new RabbitConnection(rabbitFrom(server.url));
  const { channel } = await openChannel(connection);
  const id = newId();

  proxy.pause('replies');
  await worker.put(id, finals[0]!, ttl, reply);
  await until(async () => (await channel.checkQueue(reply.to)).messageCount === 0);
  expect(await caller.get(id)).toBeUndefined();
  proxy.cut();
  proxy.resume();

  await until(async () => (await caller.get(id)) !== undefined);
  await Promise.all([worker.close(), caller.close(), connection.close()]);
});

describe('has sent what it says it has, though the process is killed', () => {
  /** The states that a process said it had sent before it was killed. */
  async function saidBefore(size: number, turns: number, reply: { to: string }) {
    const connection = new RabbitConnection(rabbitFrom(server.url));
    const { channel } = await openChannel(connection);
    const { queue } = await channel.assertQueue(newId());
    const args = [server.url, reply.to, queue, String(size), String(turns)];
    const { code, errors } = await runNode(['--import', 'tsx', dies, ...args]);
    expect([code, errors]).toEqual([null, '']);
    const said: string[] = [];
    await channel.consume(queue, (word) => void (word && said.push(String(word.content))), { noAck: true });
    await until(async () => (await channel.checkQueue(queue)).messageCount === 0);
    await channel.deleteQueue(queue);
    await connection.close();
    return said;
  }

  it.each([2, 3, 10])('small states, in %i turns of its event loop', async (turns) => {
    const caller = rpcResults(server.url);
    const said = await saidBefore(100, turns, await addressOf(caller));
    expect(said.length).toBeGreaterThan(0);
    await until(async () => (await Promise.all(said.map((id) => caller.get(id)))).every(Boolean));
    await caller.close();
  });

  it('large states, of which it says nothing before they have arrived', async () => {
    const caller = rpcResults(server.url);
    expect(await saidBefore(100_000, 3, await addressOf(caller))).toEqual([]);
    await caller.close();
  });
});

it('has not sent all before it has connected, nor while more is on its way than the system takes at once', async () => {
  const store = rpcResults(server.url);
  expect(store.hasSent).toBe(false);
  await store.ready?.();
  expect(store.hasSent).toBe(true);

  const puts = Array.from({ length: 20 }, () =>
    store.put(newId(), { state: 'done', at: 1, value: 'x'.repeat(1_000) }, ttl, { to: 'nobody' }),
  );
  expect(store.hasSent).toBe(false);
  await Promise.all(puts);
  expect(store.hasSent).toBe(true);
  await store.close();
});

it('listens again when somebody has deleted its queue', async () => {
  const [worker, caller] = [rpcResults(server.url), rpcResults(server.url)];
  const reply = await addressOf(caller);
  const connection = new RabbitConnection(rabbitFrom(server.url));
  const { channel } = await openChannel(connection);
  await channel.deleteQueue(reply.to);
  const id = newId();

  await until(async () => {
    await worker.put(id, passing[0]!, ttl, reply);
    return (await caller.get(id)) !== undefined;
  });
  await Promise.all([worker.close(), caller.close()]);
  await connection.close();
});

it('leaves no queue behind when it is closed', async () => {
  const caller = rpcResults(server.url);
  const { to } = await addressOf(caller);
  await caller.close();
  const connection = new RabbitConnection(rabbitFrom(server.url));
  const opened = await openChannel(connection);

  await expect(opened.call((channel) => channel.checkQueue(to))).rejects.toThrow('NOT_FOUND');
  await connection.close();
});

it('remembers as many states as it is told to, the latest', async () => {
  const [worker, caller] = [rpcResults(server.url), rpcResults(server.url, { keep: 2 })];
  const reply = await addressOf(caller);
  for (const id of ['a', 'b', 'a', 'c']) await worker.put(id, passing[0]!, ttl, reply);
  await until(async () => (await caller.get('c')) !== undefined);

  expect(await caller.get('b')).toBeUndefined();
  expect(await caller.get('a')).toEqual(passing[0]);
  await Promise.all([worker.close(), caller.close()]);
});

it('says that RabbitMQ cannot be reached, after it has tried for some seconds', async () => {
  const proxy = await startProxy(server.url);
  proxy.stop();
  const store = rpcResults(proxy.url(server.url));

  await Promise.all([
    expect(store.address?.()).rejects.toThrow(ResultStoreUnavailableError),
    expect(store.put('id', finals[0]!, ttl, { to: 'queue' })).rejects.toThrow(/ECONNREFUSED/),
  ]);
  await store.close();
}, 20_000);

it.each([[{ keep: 0 }], [{ keep: '9' }], [{ other: 1 }]])('refuses options that are none: %j', (options) => {
  expect(() => rpcResults(server.url, options as never)).toThrow(/keep/);
});
