import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Consumer } from '../../src/brokers/broker.js';
import type { RedisConsumer } from '../../src/brokers/redis/consumer.js';
import { RedisBroker } from '../../src/brokers/redis.js';
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
