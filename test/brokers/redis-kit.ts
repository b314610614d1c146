import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { onTestFinished } from 'vitest';
import type { ConsumeOptions, Consumer, Delivery } from '../../src/brokers/broker.js';
import type { RedisConsumer } from '../../src/brokers/redis/consumer.js';
import { RedisBroker, type RedisBrokerOptions } from '../../src/brokers/redis.js';
import type { BrokerHarness } from '../conformance/broker.js';

export const lease = 1_000;

export const vanish = async (consumer: Consumer): Promise<void> => (consumer as RedisConsumer).vanish();

export const newQueue = (): string => `queue-${randomUUID()}`;

/** The suite on a server; every party has connections of its own. */
export function harnessOn(server: { readonly url: string }): BrokerHarness {
  return {
    features: { priority: true, atomicAgain: true, revocation: true, deadlines: true, inspection: true },
    lease,
    connect: async () => new RedisBroker(server.url),
    pass: (ms) => sleep(ms),
    wall: () => Date.now(),
    vanish,
    inject: async (queue, text) => {
      const broker = new RedisBroker(server.url);
      await broker.inject(queue, text);
      await broker.close();
    },
    queue: newQueue,
  };
}

/** A broker of this test's own. */
export function open(redis: string | Redis, options?: RedisBrokerOptions): RedisBroker {
  const broker = new RedisBroker(redis as string, options);
  onTestFinished(() => broker.close());
  return broker;
}

/** A client of this test's own, to look at what is in the server. */
export function look(url: string): Redis {
  const redis = new Redis(url);
  onTestFinished(() => redis.disconnect());
  return redis;
}

/** A worker that keeps what it is given. */
export async function serve(
  broker: RedisBroker,
  queues: string | readonly string[],
  options: Partial<ConsumeOptions> = {},
) {
  const deliveries: Delivery[] = [];
  const onDelivery = (delivery: Delivery) => void deliveries.push(delivery);
  const served = typeof queues === 'string' ? [queues] : queues;
  const consumer = await broker.consume(served, { concurrency: 10, lease, onDelivery, ...options });
  return { consumer: consumer as RedisConsumer, deliveries };
}
