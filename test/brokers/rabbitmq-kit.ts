import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Consumer } from '../../src/brokers/broker.js';
import type { RabbitConsumer } from '../../src/brokers/rabbitmq/consumer.js';
import { RabbitmqBroker } from '../../src/brokers/rabbitmq.js';
import type { BrokerHarness } from '../conformance/broker.js';

export const lease = 1_000;

export const vanish = async (consumer: Consumer): Promise<void> => (consumer as RabbitConsumer).vanish();

export const newQueue = (): string => `queue-${randomUUID()}`;

export const features = {
  priority: false,
  atomicAgain: false,
  revocation: false,
  deadlines: false,
  inspection: false,
};

/** The suite on a server; every party has connections of its own. Queues go with the tests that made them. */
export function harnessOn(server: { readonly url: string }): BrokerHarness {
  const made: string[] = [];
  return {
    features,
    lease,
    connect: async () => new RabbitmqBroker(server.url),
    pass: (ms) => sleep(ms),
    wall: () => Date.now(),
    vanish,
    inject: async (queue, text) => {
      const broker = new RabbitmqBroker(server.url);
      await broker.inject(queue, text);
      await broker.close();
    },
    queue: () => {
      made.push(newQueue());
      return made.at(-1) as string;
    },
    cleanup: async () => {
      const broker = new RabbitmqBroker(server.url);
      for (const queue of made.splice(0)) await broker.drop(queue);
      await broker.close();
    },
  };
}
