import { describe } from 'vitest';
import { RabbitmqBroker } from '../../src/brokers/rabbitmq.js';
import { decode, type Message } from '../../src/message.js';
import { deliverySuite } from '../conformance/broker/delivery.js';
import { createKit } from '../conformance/broker/kit.js';
import { lossSuite } from '../conformance/broker/losses.js';
import { operatorSuite } from '../conformance/broker/operators.js';
import { outcomeSuite } from '../conformance/broker/outcomes.js';
import { useShared } from '../support/servers/index.js';
import { harnessOn } from './rabbitmq-kit.js';

const server = useShared('rabbitmq');
const plain = harnessOn(server);
const queues: string[] = [];
const brokers: RabbitmqBroker[] = [];

function connect(): RabbitmqBroker {
  const broker = new RabbitmqBroker(server.url);
  for (const queue of queues) broker.declare(queue, { celery: true });
  return broker;
}

/** Those parts of the suite in which it matters how messages are written, and what kind of queue they are in. */
describe('the rabbitmq broker with queues that are shared with Celery', () => {
  const kit = createKit({
    ...plain,
    connect: async () => {
      const broker = connect();
      brokers.push(broker);
      return broker;
    },
    queue: () => {
      const queue = plain.queue();
      queues.push(queue);
      for (const broker of brokers) broker.declare(queue, { celery: true });
      return queue;
    },
    inject: async (queue, text) => {
      const broker = connect();
      const message = messageIn(text);
      // What is a message is written otherwise there.
      if (message) await broker.publish([message], { queue });
      else await broker.inject(queue, text);
      await broker.close();
    },
    cleanup: async () => {
      const broker = connect();
      brokers.length = 0;
      for (const queue of queues.splice(0)) await broker.drop(queue);
      await broker.close();
      await plain.cleanup?.();
    },
  });
  describe('delivery', () => deliverySuite(kit));
  describe('outcomes', () => outcomeSuite(kit));
  describe('losses', () => lossSuite(kit));
  describe('operators', () => operatorSuite(kit));
});

function messageIn(text: string): Message | undefined {
  try {
    return decode(text);
  } catch {
    return undefined;
  }
}
