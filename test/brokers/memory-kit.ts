import type { ConsumeOptions, Consumer, Delivery } from '../../src/brokers/broker.js';
import type { MemoryConsumer } from '../../src/brokers/memory/consumer.js';
import { MemoryBroker } from '../../src/brokers/memory.js';
import { ManualClock, settle } from '../../src/testing/manual-clock.js';
import { calls } from '../conformance/broker/kit.js';

export const lease = 10_000;
export const queue = 'default';
export const vanish = async (consumer: Consumer): Promise<void> => (consumer as MemoryConsumer).vanish();

/** A broker of its own with one consumer, and what that was given. */
export async function start(options: Partial<ConsumeOptions> = {}) {
  const clock = new ManualClock();
  const broker = new MemoryBroker({ clock });
  const deliveries: Delivery[] = [];
  const onDelivery = (delivery: Delivery) => void deliveries.push(delivery);
  const consumer = await broker.consume([queue], { concurrency: 10, lease, onDelivery, ...options });
  const publish = async (messages = calls(1)) => {
    await broker.publish(messages, { queue });
    await settle();
    return deliveries.splice(0);
  };
  return { clock, broker, consumer, deliveries, publish };
}
