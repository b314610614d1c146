import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ConfigError } from '../../src/errors.js';
import { again, call, calls, done } from '../conformance/broker/kit.js';
import { useRedis, useRedisSentinel, useShared } from '../support/servers/index.js';
import { until } from '../support/until.js';
import { lease, look, newQueue, open, serve, vanish } from './redis-kit.js';

const server = useShared('redis');

describe('workers on the redis broker', () => {
  it('are woken one for each that is published, and not all', async () => {
    const redis = look(own.url);
    const queue = newQueue();
    const workers: Awaited<ReturnType<typeof serve>>[] = [];
    for (let i = 0; i < 5; i++) workers.push(await serve(open(own.url), queue, { lease: 60_000 }));
    const broker = open(own.url);
    await until(() => workers.every(({ consumer }) => consumer.idle === 10));
    await redis.config('RESETSTAT');

    for (let i = 0; i < 5; i++) {
      await broker.publish(calls(1), { queue });
      await until(() => workers.reduce((sum, { deliveries }) => sum + deliveries.length, 0) === i + 1);
    }

    const stats = await redis.info('commandstats');
    expect(Number(/cmdstat_xreadgroup:calls=(\d+)/.exec(stats)?.[1])).toBeLessThanOrEqual(10);
    expect(workers.every(({ deliveries }) => deliveries.length === 1)).toBe(true);
  });

  const own = useRedis();

  it('are not waited for when the one that was to be woken is gone', async () => {
    const queue = newQueue();
    const [dead, alive] = [
      await serve(open(server.url), queue, { lease: 60_000 }),
      await serve(open(server.url), queue, { lease: 60_000 }),
    ];
    const broker = open(server.url);
    await until(() => dead.consumer.idle + alive.consumer.idle === 20);
    await vanish(dead.consumer);
    await sleep(100);

    await broker.publish(calls(3), { queue });

    await until(() => alive.deliveries.length === 3, 2_000);
  });

  it('wake each other when there is more than one can take', async () => {
    const queue = newQueue();
    const workers: Awaited<ReturnType<typeof serve>>[] = [];
    for (let i = 0; i < 4; i++) workers.push(await serve(open(server.url), queue, { concurrency: 2 }));
    await open(server.url).publish(calls(8), { queue });

    await until(() => workers.every(({ deliveries }) => deliveries.length === 2), 2_000);
  });

  it('bring what is due to others when they have no slot themselves', async () => {
    const broker = open(server.url);
    const queue = newQueue();
    const busy = await serve(open(server.url), queue, { concurrency: 1, lease: 60_000 });
    await broker.publish(calls(1), { queue });
    await until(() => busy.deliveries.length === 1);
    await broker.publish(calls(1), { queue, delay: 300 });
    const idle = await serve(open(server.url), queue, { concurrency: 1, lease: 60_000 });
    // The one that knows when it is due takes something else meanwhile.
    await busy.deliveries[0]!.settle(again(busy.deliveries[0]!.message));
    await until(() => busy.deliveries.length + idle.deliveries.length === 2);

    await until(() => busy.deliveries.length + idle.deliveries.length === 3, 2_000);
  });

  it('start a delayed message soon after its time, whoever delayed it', async () => {
    const broker = open(server.url);
    const queue = newQueue();
    const late: number[] = [];
    const onDelivery = ({ message }: { message: { args: readonly unknown[] } }) =>
      late.push(Date.now() - (message.args[0] as number));
    const options = { concurrency: 100, lease: 60_000, onDelivery };
    const { consumer } = await serve(open(server.url), queue, options);
    await until(() => consumer.idle === 100);
    for (let i = 0; i < 20; i++) {
      const delay = 50 + 20 * i;
      await broker.publish([call({ args: [Date.now() + delay] })], { queue, delay });
    }

    await until(() => late.length === 20);

    expect(Math.min(...late)).toBeGreaterThanOrEqual(-1);
    expect(late.sort((a, b) => a - b)[10]).toBeLessThan(50);
  });

  it('notice within a lease that another is dead, though they have nothing to do', async () => {
    const queue = newQueue();
    const long = 3_000;
    const dead = await serve(open(server.url), queue, { lease: long });
    const alive = await serve(open(server.url), queue, { lease: long });
    // Whoever has just come buries nobody for a while.
    await sleep(2_200);
    await open(server.url).publish(calls(20), { queue });
    await until(() => dead.deliveries.length === 10 && alive.deliveries.length === 10);
    for (const delivery of alive.deliveries.splice(0)) await delivery.settle(done);
    await vanish(dead.consumer);
    const died = performance.now();

    await until(() => alive.deliveries.length === 10, 10_000);

    expect(performance.now() - died).toBeLessThan(long + 500);
    expect(alive.deliveries.every(({ losses }) => losses === 1)).toBe(true);
  });

  it('give back what came into their hands unheard, by a step that was late, and keep what they know of', async () => {
    const broker = open(server.url);
    const redis = look(server.url);
    const queue = newQueue();
    const { deliveries } = await serve(broker, queue, { concurrency: 1 });
    await broker.publish(calls(2), { queue });
    await until(() => deliveries.length === 1);
    const keys = `lk:queue:{${queue}}:1:`;
    const [number] = (await redis.zrange(`${keys}alive`, '0', '-1')).map(String);

    const beat = () => redis.zscore(`${keys}alive`, number!);
    const last = await beat();
    // Just after a beat there is none for a while, which could give it back.
    await until(async () => (await beat()) !== last);
    await redis.call('xreadgroup', 'group', 'w', number!, 'count', 1, 'streams', `${keys}stream`, '>');
    expect(await broker.depth(queue)).toMatchObject({ ready: 0, running: 2 });

    await until(async () => (await broker.depth(queue)).ready === 1);
    expect(await broker.depth(queue)).toMatchObject({ ready: 1, running: 1 });
    expect(await deliveries[0]!.settle(done)).toBe(true);
    await until(() => deliveries.length === 2);
    expect(deliveries[1]!.losses).toBe(0);
  });

  it('that were declared dead go on under another number', async () => {
    const broker = open(server.url);
    const redis = look(server.url);
    const queue = newQueue();
    const { deliveries, consumer } = await serve(broker, queue);
    await broker.publish(calls(2), { queue });
    await until(() => deliveries.length === 2);
    const alive = `lk:queue:{${queue}}:1:alive`;
    const numbers = async () => (await redis.zrange(alive, '0', '-1')).map(String);
    const [number] = await numbers();

    // As another does that takes it for dead.
    await redis.zrem(alive, number!);
    expect(await deliveries[0]!.settle(done)).toBe(false);
    await until(async () => (await numbers()).length === 1);

    expect(await numbers()).not.toEqual([number]);
    expect(await deliveries[1]!.settle(done)).toBe(false);
    await until(() => consumer.idle === 10);
    const message = call();
    await broker.publish([message], { queue });
    await until(() => deliveries.some((delivery) => delivery.message.id === message.id));
  });

  it('tell what fails in the background', async () => {
    const errors: unknown[] = [];
    const broker = open(breakable.url);
    await serve(broker, newQueue(), { onError: (error) => errors.push(error) });

    await breakable.kill();

    await until(() => errors.length > 0);
    expect(errors[0]).toMatchObject({ code: 'BROKER_UNAVAILABLE', broker: 'redis' });
    await expect(broker.publish(calls(1), { queue: 'any' })).rejects.toMatchObject({
      code: 'BROKER_UNAVAILABLE',
    });
    await breakable.restart();
  });

  const breakable = useRedis();
});

describe('the redis broker', () => {
  it('uses a client that is handed over, and leaves it open', async () => {
    const client = new Redis(server.url);
    onTestFinished(() => client.disconnect());
    const broker = open(client, { prefix: `prefix-${newQueue()}` });
    const queue = newQueue();
    const { deliveries } = await serve(broker, queue);
    await broker.publish(calls(1), { queue });
    await until(() => deliveries.length === 1);
    await broker.close();

    expect(await client.ping()).toBe('PONG');
  });

  it('refuses what is no Redis', () => {
    expect(() => open('redis://host:port')).toThrow(ConfigError);
    expect(() => open({} as never)).toThrow(ConfigError);
    expect(() => open(server.url, { prefix: 'a{b}' })).toThrow(ConfigError);
    expect(() => open(server.url, { maxMessageBytes: 0 })).toThrow(ConfigError);
    const client = new Redis(server.url, { keyPrefix: 'mine:', lazyConnect: true });
    expect(() => open(client)).toThrow(/keyPrefix/);
  });

  it('tells a wrong password as what it is', async () => {
    const broker = open(guarded.url.replace(/:[^:@/]*@/, ':wrong@'));
    await expect(broker.publish(calls(1), { queue: newQueue() })).rejects.toThrow(ConfigError);
    await expect(open(guarded.url).publish(calls(1), { queue: newQueue() })).resolves.toBeUndefined();
  });

  const guarded = useRedis({ password: 'secret' });

  it('goes on when its master is replaced', async () => {
    const broker = open(sentinel.url);
    const queue = newQueue();
    const { deliveries, consumer } = await serve(broker, queue, { lease });
    await until(() => consumer.idle === 10);

    await (await sentinel.currentMaster())!.kill();

    const messages = calls(3);
    await until(async () => {
      await broker.publish(messages, { queue });
      return true;
    }, 15_000);
    await until(() => deliveries.length >= 3, 15_000);
  }, 60_000);

  const sentinel = useRedisSentinel();
});
