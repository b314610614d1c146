import { describe, expect, it } from 'vitest';
import type { Delivery } from '../../src/brokers/broker.js';
import { ConfigError } from '../../src/errors.js';
import { encode } from '../../src/message.js';
import { again, call, calls, done, idsOf, parked, resource } from '../conformance/broker/kit.js';
import { useRedis, useShared } from '../support/servers/index.js';
import { until } from '../support/until.js';
import { look, newQueue, open, serve } from './redis-kit.js';

const server = useShared('redis');

describe('the redis broker keeps a queue', () => {
  it('in keys of one hash tag that name the layout, whatever the queue is called', async () => {
    const broker = open(server.url, { prefix: 'mine' });
    const redis = look(server.url);
    for (const queue of ['plain', 'a}b{c', '{}', '100%', 'é:*']) {
      await broker.publish(calls(1), { queue });
      await broker.publish(calls(1), { queue, delay: 60_000 });
    }

    const keys = (await redis.keys('mine:*')).filter((key) => key !== 'mine:queues:1');
    const tags = keys.map((key) => /^mine:queue:\{([^{}]+)\}(:1:[a-z]+)?$/.exec(key)?.[1]);

    expect(new Set(tags)).toEqual(new Set(['plain', 'a%7Db%7Bc', '%7B%7D', '100%25', 'é:*']));
    expect((await redis.smembers('mine:queues:1')).sort()).toEqual(['100%', 'a}b{c', 'plain', '{}', 'é:*']);
    for (const key of keys) await redis.del(key);
  });

  it('of another layout for others, and refuses it', async () => {
    const broker = open(server.url);
    const redis = look(server.url);
    const queue = newQueue();
    await redis.set(`lk:queue:{${queue}}`, '2');

    const refused = [
      () => broker.publish(calls(1), { queue }),
      () => broker.consume([queue], { concurrency: 1, lease: 1_000, onDelivery: () => {} }),
      () => broker.depth(queue),
      () => broker.purge(queue),
    ];
    for (const step of refused) await expect(step()).rejects.toThrow(ConfigError);
    await expect(broker.publish(calls(1), { queue })).rejects.toThrow(/layout 2.*knows layout 1/);

    expect(await redis.keys(`lk:queue:{${queue}}*`)).toEqual([`lk:queue:{${queue}}`]);
  });

  it('that nobody ever used without making it', async () => {
    const broker = open(server.url);
    const redis = look(server.url);
    const queue = newQueue();

    await broker.depth(queue);
    await broker.purge(queue);
    await broker.rooms(queue);
    await broker.locate('x', [queue]);
    await broker.aside(queue);

    expect(await redis.keys(`lk:queue:{${queue}}*`)).toEqual([]);
  });

  it('and nothing of what has ended', async () => {
    const broker = open(server.url);
    const redis = look(server.url);
    const queue = newQueue();
    const messages = calls(40);
    await broker.publish(messages.slice(0, 20), { queue });
    await broker.publish([...messages.slice(20), ...messages.slice(0, 5)], { queue, delay: 10 });
    const { consumer, deliveries } = await serve(broker, queue, { concurrency: 45 });
    await until(() => deliveries.length === 45);
    const [first, second, third, ...rest] = deliveries.splice(0);
    await first!.settle({ kind: 'aside', reason: 'poison' });
    await second!.settle(again(second!.message, 20));
    await third!.settle(parked(third!.message, { deadline: Date.now() + 60_000 }));
    await Promise.all(rest.map((delivery) => delivery.settle(done)));
    await until(() => deliveries.length === 1);
    await deliveries[0]!.settle(done);
    const taken = await consumer.take(resource, { weight: 1 });
    if (taken.kind === 'taken') await taken.delivery.settle(done);
    await broker.discard(queue, (await broker.aside(queue))[0]!.id);
    await consumer.close();

    const left = await redis.keys(`lk:queue:{${queue}}*`);
    const base = `lk:queue:{${queue}}`;
    const streams = [`${base}:1:stream`, `${base}:1:aside`];
    expect(left.sort()).toEqual([base, `${base}:1:facts`, ...streams].sort());
    for (const stream of streams) expect(await redis.xlen(stream)).toBe(0);
    expect(await redis.xinfo('CONSUMERS', streams[0]!, 'w')).toEqual([]);
  });

  it('anew when somebody has emptied the database under it', async () => {
    const broker = open(own.url);
    const redis = look(own.url);
    const queue = newQueue();
    const { deliveries, consumer } = await serve(broker, queue);
    await broker.publish(calls(1), { queue });
    await until(() => deliveries.length === 1);

    await redis.flushall();
    expect(await deliveries[0]!.settle(done)).toBe(false);
    const message = call();
    await broker.publish([message], { queue });

    await until(() => deliveries.length === 2);
    expect(deliveries[1]!.message.id).toBe(message.id);
    expect(await deliveries[1]!.settle(done)).toBe(true);
    await until(() => consumer.idle === 10);
    expect(await broker.depth(queue)).toMatchObject({ ready: 0, running: 0 });
  });

  const own = useRedis();
});

describe('in the redis broker', () => {
  it('what is done again, lost or late has its old place in the queue, and what is replayed a new one', async () => {
    const broker = open(server.url);
    const queue = newQueue();
    const messages = calls(6);
    await broker.publish(messages.slice(0, 1), { queue, delay: 100 });
    await broker.publish(messages.slice(1), { queue });
    const first = await serve(broker, queue, { concurrency: 4 });
    await until(() => first.deliveries.length === 4);
    await first.consumer.stop();
    await first.deliveries[1]!.settle(again(first.deliveries[1]!.message));
    await first.deliveries[2]!.settle(again(first.deliveries[2]!.message, 50));
    await first.deliveries[0]!.settle({ kind: 'aside', reason: 'test' });
    await first.consumer.close();
    await new Promise((resolve) => setTimeout(resolve, 150));
    await broker.replay(queue, (await broker.aside(queue))[0]!.id);

    const { deliveries } = await serve(broker, queue, { concurrency: 9 });
    await until(() => deliveries.length === 6);

    expect(idsOf(deliveries.map(({ message }) => message))).toEqual(
      idsOf([0, 2, 3, 4, 5, 1].map((i) => messages[i]!)),
    );
  });

  it('every message of a revoked id is reached, and those whose id was not known when they came', async () => {
    const broker = open(server.url);
    const queue = newQueue();
    const [message, foreign] = calls(2);
    await broker.publish([message!, message!, message!], { queue, delay: 60_000 });
    await broker.inject(queue, encode(foreign!));
    const { deliveries, consumer } = await serve(broker, queue);
    await until(() => deliveries.length === 1);
    await deliveries.shift()!.settle(parked(foreign!));

    await broker.revoke(message!.id);
    await broker.revoke(foreign!.id);
    await until(() => deliveries.length === 4);

    expect(deliveries.map(({ revoked }) => revoked)).toEqual([true, true, true, true]);
    expect(idsOf(deliveries.map((one) => one.message)).sort()).toEqual(
      [message!.id, message!.id, message!.id, foreign!.id].sort(),
    );
    expect(await consumer.rooms()).toEqual([]);
    for (const delivery of deliveries) expect(await delivery.settle(done)).toBe(true);
    expect(await broker.depth(queue)).toMatchObject({ delayed: 0, parked: 0, running: 0 });
  });

  it('more rooms than one step describes are listed, and found when nobody tends them', async () => {
    const broker = open(server.url);
    const queue = newQueue();
    const count = 2_100;
    await broker.publish(calls(count), { queue });
    const { deliveries, consumer } = await serve(broker, queue, { concurrency: count });
    await until(() => deliveries.length === count);
    const names = deliveries.map((_, i) => `room-${i}`).sort();
    const park = (delivery: Delivery, i: number) =>
      delivery.settle(parked(delivery.message, { resource: `room-${i}`, countdown: 300 }));
    await Promise.all(deliveries.map(park));

    expect((await consumer.rooms()).map(({ resource }) => resource).sort()).toEqual(names);
    const found = new Set<string>();
    await until(async () => {
      for (const { resource } of await consumer.orphans()) found.add(resource);
      return found.size === count;
    });
  });

  it('what is larger than allowed is set aside, and never sent to a worker', async () => {
    const broker = open(server.url, { maxMessageBytes: 2_000 });
    const queue = newQueue();
    const [large, small] = [call({ args: ['x'.repeat(3_000)] }), call()];
    await broker.publish([large, small], { queue });
    const { deliveries } = await serve(broker, queue);
    await until(() => deliveries.length === 1);

    expect(deliveries[0]!.message.id).toBe(small.id);
    const [aside] = await broker.aside(queue);
    expect(aside).toMatchObject({ message: large, text: encode(large) });
    expect(aside?.reason).toMatch(/^the message is \d+ bytes, and 2000 are allowed$/);
  });

  it('10,000 hostile messages are set aside, and the others delivered', async () => {
    const broker = open(server.url);
    const queue = newQueue();
    const hostile = ['', '{', '[[[', '{"id":1}', '{"v":9}', '\0', '"', '{"id":"x"\n', 'null', '1e999'];
    for (let i = 0; i < 1_000; i++) await Promise.all(hostile.map((text) => broker.inject(queue, text)));
    const messages = calls(10);
    await broker.publish(messages, { queue });
    const { deliveries, consumer } = await serve(broker, queue);
    await until(() => deliveries.length === 10, 20_000);

    expect(idsOf(deliveries.map(({ message }) => message))).toEqual(idsOf(messages));
    await until(async () => (await broker.depth(queue)).apart === 10_000, 20_000);
    for (const delivery of deliveries) await delivery.settle(done);
    await until(() => consumer.idle === 10);
  });
});
