import { AsyncLocalStorage } from 'node:async_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { describe, expect, it, onTestFinished } from 'vitest';
import { encode } from '../../src/message.js';
import { call, calls, done, parked, resource } from '../conformance/broker/kit.js';
import { errorOf } from '../support/error-of.js';
import { startProxy } from '../support/proxy.js';
import { useRedis } from '../support/servers/index.js';
import { until } from '../support/until.js';
import { look, newQueue, open, serve } from './redis-kit.js';

/** A message that comes to an idle worker together with the word that wakes it, or with the answer to its publisher. */
describe('a worker on the redis broker that is idle', () => {
  const server = useRedis();

  /** How often these commands have been called since this was last asked. */
  async function callsOf(...commands: string[]): Promise<number[]> {
    const redis = look(server.url);
    const stats = await redis.info('commandstats');
    await redis.config('RESETSTAT');
    return commands.map((name) => Number(new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(stats)?.[1] ?? 0));
  }

  /** A worker behind a proxy, which does not look for messages by itself for a while. */
  async function behindProxy(queue: string, concurrency = 10) {
    const proxy = await startProxy(server.url);
    onTestFinished(() => proxy.stop());
    const broker = open(proxy.url(server.url));
    const worker = await serve(broker, queue, { lease: 60_000, concurrency });
    await until(() => worker.consumer.idle === concurrency);
    return { proxy, broker, ...worker };
  }

  it.each([
    ['in another process, by one step and one word', false, 1],
    ['in the same process, by one step', true, 0],
  ])('has what is published %s', async (_, isSame, words) => {
    const queue = newQueue();
    const own = open(server.url);
    const { consumer, deliveries } = await serve(own, queue, { lease: 60_000, concurrency: 1 });
    const broker = isSame ? own : open(server.url);
    await broker.publish(calls(1), { queue });
    await until(() => deliveries.length === 1);
    await deliveries[0]!.settle(done);
    await until(() => consumer.idle === 1);
    await callsOf();

    const message = call({ args: ['a line\nbreak', 'an emoji 🔒'] });
    await broker.publish([message], { queue });
    await until(() => deliveries.length === 2);

    expect(await callsOf('evalsha', 'publish')).toEqual([1, words]);
    expect(deliveries[1]!.message).toEqual(message);
    expect(await deliveries[1]!.settle(done)).toBe(true);
    expect(await broker.depth(queue)).toMatchObject({ ready: 0, running: 0 });
  });

  it('gives back what it was handed when its last slot was taken meanwhile', async () => {
    const queue = newQueue();
    const broker = open(server.url);
    const full = await serve(open(server.url), queue, { lease: 60_000, concurrency: 1 });
    await broker.publish(calls(1), { queue });
    await until(() => full.deliveries.length === 1);
    const [first] = full.deliveries;
    await first!.settle(parked(first!.message, { countdown: 60_000 }));
    await until(() => full.consumer.idle === 1);
    const other = await serve(open(server.url), queue, { lease: 60_000, concurrency: 1 });
    await until(() => other.consumer.idle === 1);

    expect(await full.consumer.take(resource, { weight: 1 })).toMatchObject({ kind: 'taken' });
    await broker.publish(calls(1), { queue });

    await until(() => other.deliveries.length === 1, 2_000);
    expect(other.deliveries[0]!.losses).toBe(0);
    expect(full.deliveries.length).toBe(1);
  });

  it.each([
    ['does not run what it hears of after it went back', false],
    ['does not run it either when it did not hear that it went back', true],
  ])('%s', async (_, isCut) => {
    const queue = newQueue();
    const late = await behindProxy(queue);
    const other = await serve(open(server.url), queue, { lease: 60_000 });
    await until(() => other.consumer.idle === 10);
    late.proxy.pause('replies');
    // Whoever was idle first is handed the first.
    await open(server.url).publish(calls(1), { queue });
    expect(other.deliveries.length).toBe(0);

    late.consumer.returned();
    await until(() => other.deliveries.length === 1);
    if (isCut) await look(server.url).call('CLIENT', 'KILL', 'TYPE', 'NORMAL', 'SKIPME', 'YES');
    late.proxy.resume();

    const broker = open(server.url);
    await until(() => late.consumer.idle === 10);
    await broker.publish(calls(19), { queue });
    await until(() => late.deliveries.length + other.deliveries.length === 20);
    const ids = [...late.deliveries, ...other.deliveries].map(({ message }) => message.id);
    expect(new Set(ids).size).toBe(20);
    expect(other.deliveries[0]!.losses).toBe(0);
    expect(await other.deliveries[0]!.settle(done)).toBe(true);
  });

  it.each([
    ['has what it did not hear of as soon as it is connected again, and once', 'both'],
    ['has it too when only the connection was lost by which it is told', 'pubsub'],
  ])('%s', async (_, lost) => {
    const queue = newQueue();
    const { proxy, deliveries } = await behindProxy(queue);
    const broker = open(server.url);
    proxy.pause('replies');
    await broker.publish(calls(1), { queue });
    expect(await broker.depth(queue)).toMatchObject({ ready: 0, running: 1 });

    if (lost === 'both') proxy.cut();
    else await look(server.url).client('KILL', 'TYPE', 'PUBSUB');
    proxy.resume();

    await until(() => deliveries.length === 1, 5_000);
    expect(deliveries[0]!.losses).toBe(0);
    expect(await broker.depth(queue)).toMatchObject({ ready: 0, running: 1 });
  });

  it('has what its process published when the answer to that is lost, and once', async () => {
    const queue = newQueue();
    const { proxy, broker, deliveries } = await behindProxy(queue);
    proxy.pause('replies');
    const lost = errorOf(broker.publish(calls(1), { queue }));
    const others = open(server.url);
    await until(async () => (await others.depth(queue)).running === 1);
    expect(deliveries.length).toBe(0);

    proxy.cut();
    proxy.resume();

    expect((await lost).message).toMatch(/unavailable/i);
    await until(() => deliveries.length === 1, 5_000);
    expect(deliveries[0]!.losses).toBe(0);
    expect(await others.depth(queue)).toMatchObject({ ready: 0, running: 1 });
  });

  it('that died is passed over, and what one had that dies with it comes back as a loss', async () => {
    const queue = newQueue();
    const [first, second] = [
      await serve(open(server.url), queue, { lease: 1_000 }),
      await serve(open(server.url), queue, { lease: 1_000 }),
    ];
    await until(() => first.consumer.idle + second.consumer.idle === 20);
    const broker = open(server.url);
    await broker.publish(calls(2), { queue });
    await until(() => first.deliveries.length + second.deliveries.length === 2);
    const [dying, alive] = first.deliveries.length > 0 ? [first, second] : [second, first];
    dying.consumer.vanish();
    const had = alive.deliveries.length;

    await broker.publish(calls(1), { queue });

    await until(() => alive.deliveries.length === 3);
    const lost = alive.deliveries.slice(had).filter(({ losses }) => losses === 1);
    expect(lost.length).toBe(dying.deliveries.length);
  });

  it('is handed texts that are no messages, and goes on', async () => {
    const queue = newQueue();
    const own = open(server.url);
    const { consumer, deliveries } = await serve(own, queue, { lease: 60_000 });
    for (const broker of [own, open(server.url)]) {
      await until(() => consumer.idle === 10);
      await broker.inject(queue, 'no message');
    }
    await until(async () => (await own.aside(queue)).length === 2);
    expect(deliveries.length).toBe(0);
    await own.publish(calls(1), { queue });
    await until(() => deliveries.length === 1);
  });

  it('is woken by publishers that may not ask who listens', async () => {
    const queue = newQueue();
    const { consumer, deliveries } = await serve(open(server.url), queue, { lease: 60_000 });
    await until(() => consumer.idle === 10);
    await look(server.url).acl('SETUSER', 'few', 'on', '>secret', '~*', '&*', '+@all', '-pubsub');
    const broker = open(server.url.replace('redis://', 'redis://few:secret@'));

    await broker.publish(calls(1), { queue });

    await until(() => deliveries.length === 1, 5_000);
  });

  it('runs in no context of the publisher', async () => {
    const [queue, store] = [newQueue(), new AsyncLocalStorage<string>()];
    const own = open(server.url);
    const seen: unknown[] = [];
    const onDelivery = () => void seen.push(store.getStore());
    const { consumer } = await serve(own, queue, { lease: 60_000, onDelivery });
    await until(() => consumer.idle === 10);

    await store.run('a request', () => own.publish(calls(1), { queue }));

    await until(() => seen.length === 1);
    expect(seen).toEqual([undefined]);
  });

  it('runs in the context of its worker, and before its publisher is told', async () => {
    const [queue, store] = [newQueue(), new AsyncLocalStorage<string>()];
    const [own, other] = [open(server.url), open(server.url)];
    const seen: unknown[] = [];
    await store.run('a request', () => own.publish(calls(1), { queue }));
    const onDelivery = () => void seen.push(store.getStore());
    const { consumer } = await store.run('a worker', () => serve(own, queue, { lease: 60_000, onDelivery }));
    await until(() => seen.length === 1 && consumer.idle === 9);

    await own.publish(calls(1), { queue }).then(() => seen.push('published'));
    await until(() => consumer.idle === 8);
    await other.publish(calls(1), { queue });
    await until(() => seen.length === 4);

    expect(seen).toEqual(['a worker', 'a worker', 'published', 'a worker']);
  });

  it('is handed nothing large, though that comes first', async () => {
    const [queue, redis] = [newQueue(), look(server.url)];
    const { consumer, deliveries } = await serve(open(server.url), queue, { lease: 60_000 });
    await until(() => consumer.idle === 10);
    const [large, small] = [call({ args: ['x'.repeat(100_000)] }), call()];
    // As a publisher that died before it woke anybody.
    await redis.xadd(`lk:queue:{${queue}}:1:stream`, `${Date.now() * 1_000}-0`, 'm', encode(large));
    const words: string[] = [];
    const listener = look(server.url);
    await listener.psubscribe(`lk:queue:{${queue}}:1:idle:*`);
    listener.on('pmessage', (_pattern, _channel, word: string) => words.push(word));

    await open(server.url).publish([small], { queue });

    await until(() => deliveries.length === 2, 5_000);
    expect(deliveries.map(({ message }) => message.id)).toEqual([large.id, small.id]);
    expect(deliveries.every(({ losses }) => losses === 0)).toBe(true);
    expect(words).toEqual(['more']);
  });

  it('is idle also with a client that gives numbers as texts', async () => {
    const queue = newQueue();
    const redis = new Redis(server.url, { stringNumbers: true });
    onTestFinished(() => redis.disconnect());
    const own = open(redis);
    const { consumer, deliveries } = await serve(own, queue, { lease: 60_000 });
    await until(() => consumer.idle === 10);
    await own.publish(calls(1), { queue });
    await until(() => deliveries.length === 1);
    expect(await deliveries[0]!.settle(done)).toBe(true);
    expect(await own.depth(queue)).toMatchObject({ ready: 0, running: 0 });

    // It beats, and looks for messages, every few seconds: not whenever it is answered.
    await until(() => consumer.idle === 10);
    await callsOf();
    await sleep(1_000);
    expect((await callsOf('evalsha'))[0]).toBeLessThan(10);
  });

  it('gives back what it does not know of when it was told that there is more and has no slot', async () => {
    const [queue, redis] = [newQueue(), look(server.url)];
    const full = await serve(open(server.url), queue, { lease: 60_000, concurrency: 1 });
    const broker = open(server.url);
    await broker.publish(calls(1), { queue });
    await until(() => full.deliveries.length === 1);
    const [first] = full.deliveries;
    await first!.settle(parked(first!.message, { countdown: 60_000 }));
    await until(() => full.consumer.idle === 1);
    const other = await serve(open(server.url), queue, { lease: 60_000 });
    await until(() => other.consumer.idle === 10);
    expect(await full.consumer.take(resource, { weight: 1 })).toMatchObject({ kind: 'taken' });
    const large = call({ args: ['x'.repeat(100_000)] });
    await redis.xadd(`lk:queue:{${queue}}:1:stream`, `${Date.now() * 1_000}-0`, 'm', encode(large));

    await broker.publish(calls(1), { queue });

    await until(() => other.deliveries.length === 2, 5_000);
    expect(other.deliveries.every(({ losses }) => losses === 0)).toBe(true);
  });

  it('fetches what is large', async () => {
    const queue = newQueue();
    const { consumer, deliveries } = await serve(open(server.url), queue, { lease: 60_000 });
    await until(() => consumer.idle === 10);
    const message = call({ args: ['x'.repeat(100_000)] });
    await open(server.url).publish([message], { queue });
    await until(() => deliveries.length === 1);
    expect(deliveries[0]!.message).toEqual(message);
  });

  it('is handed nothing that is larger than allowed', async () => {
    const queue = newQueue();
    const own = open(server.url, { maxMessageBytes: 2_000 });
    const { consumer, deliveries } = await serve(own, queue, { lease: 60_000 });
    for (const broker of [own, open(server.url)]) {
      await until(() => consumer.idle === 10);
      await broker.publish([call({ args: ['x'.repeat(3_000)] })], { queue });
    }
    await until(async () => (await own.aside(queue)).length === 2);
    for (const { reason } of await own.aside(queue)) {
      expect(reason).toMatch(/^the message is \d+ bytes, and 2000 are allowed$/);
    }
    expect(deliveries.length).toBe(0);
  });

  it('is told of a revocation that came before the message', async () => {
    const queue = newQueue();
    const own = open(server.url);
    const { consumer, deliveries } = await serve(own, queue, { lease: 60_000 });
    await until(() => consumer.idle === 10);
    const message = call();
    await own.revoke(message.id);
    await own.publish([message], { queue });
    await until(() => deliveries.length === 1);
    expect(deliveries[0]!.revoked).toBe(true);
  });

  it('has messages in the order of their publishing when the clock of the server is set back', async () => {
    const [queue, redis] = [newQueue(), look(server.url)];
    const broker = open(server.url);
    await broker.publish(calls(1), { queue });
    const keys = `lk:queue:{${queue}}:1:`;
    const future = (Date.now() + 3_600_000) * 1_000;
    await redis.xadd(`${keys}stream`, `${future}-0`, 'm', JSON.stringify(call()));

    await broker.publish(calls(1), { queue });
    await broker.publish(calls(1), { queue, delay: 3_600_000 });
    await broker.publish(calls(2), { queue });

    const entries = await redis.xrange(`${keys}stream`, '-', '+');
    const places = entries.map(([id]) => Number.parseInt(id, 10) - future);
    expect(places.slice(1)).toEqual([0, 1, 3, 4]);
    const [place] = await redis.zrange(`${keys}due`, '0', '-1');
    expect(place).toContain(`:9${future + 2}:`);
  });

  it('takes its part of what is published one by one, wherever that is', async () => {
    const queue = newQueue();
    const own = open(server.url);
    const [near, far] = [
      await serve(own, queue, { lease: 60_000, concurrency: 1_000 }),
      await serve(open(server.url), queue, { lease: 60_000, concurrency: 1_000 }),
    ];
    await until(() => near.consumer.idle + far.consumer.idle === 2_000);
    for (let i = 0; i < 200; i++) await own.publish(calls(1), { queue });
    await until(() => near.deliveries.length + far.deliveries.length === 200);
    expect(far.deliveries.length).toBeGreaterThan(20);
    expect(near.deliveries.length).toBeGreaterThan(20);
  });
});
