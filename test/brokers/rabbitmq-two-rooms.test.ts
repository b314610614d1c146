import { expect, it, onTestFinished } from 'vitest';
import type { Consumer, Delivery } from '../../src/brokers/broker.js';
import { RabbitmqBroker } from '../../src/brokers/rabbitmq.js';
import { calls, done, idsOf, parked, resource } from '../conformance/broker/kit.js';
import { useShared } from '../support/servers/index.js';
import { until } from '../support/until.js';
import { newQueue } from './rabbitmq-kit.js';

const server = useShared('rabbitmq');

async function serve(broker: RabbitmqBroker, queue: string, concurrency: number) {
  const deliveries: Delivery[] = [];
  const consumer = await broker.consume([queue], {
    concurrency,
    lease: 3_000,
    onDelivery: (delivery) => void deliveries.push(delivery),
  });
  return { consumer, deliveries };
}

/** Two messages that two workers parked at once, each in a room that it made for it. */
async function parkAtOnce(weights: readonly [number, number]) {
  const broker = new RabbitmqBroker(server.url);
  onTestFinished(() => broker.close());
  const queue = newQueue();
  const hands = [await serve(broker, queue, 1), await serve(broker, queue, 1)] as const;
  const sent = calls(2);
  await broker.publish(sent, { queue });
  await until(() => hands.every(({ deliveries }) => deliveries.length === 1));
  await Promise.all(
    hands.map(async ({ deliveries: [one] }, i) => one?.settle(parked(one.message, { weight: weights[i]! }))),
  );
  return { broker, queue, hands, sent };
}

/** The same; then six, one after the other. */
async function parkInTwoRooms() {
  const { broker, queue, hands, sent } = await parkAtOnce([1, 1]);
  const later = calls(6);
  for (const message of later) {
    await broker.publish([message], { queue });
    const whose = () => hands.find(({ deliveries }) => deliveries.at(-1)?.message.id === message.id);
    await until(() => whose() !== undefined);
    await whose()?.deliveries.at(-1)?.settle(parked(message));
  }
  const { consumer } = await serve(broker, queue, 10);
  await until(() => consumer.idle >= 8);
  return { consumer, sent: idsOf(sent), later: idsOf(later) };
}

/** Its message: of a hand-off, where there is one before. */
async function next(consumer: Consumer, before?: Delivery): Promise<Delivery> {
  const settling = before && { settling: { delivery: before, outcome: done } };
  const taken = await consumer.take(resource, { weight: 1, ...settling });
  if (taken.kind !== 'taken') throw new Error(`it was ${taken.kind}`);
  return taken.delivery;
}

it('what two workers park at once is taken before what they park when they know of each other', async () => {
  const { consumer, sent, later } = await parkInTwoRooms();
  const taken: string[] = [];
  for (let i = 0; i < 8; i++) taken.push((await next(consumer)).message.id);

  expect(taken.slice(0, 2).sort()).toEqual(sent.sort());
  expect(taken.slice(2)).toEqual(later);
});

it('a chain of hand-offs goes through both rooms in the same order', async () => {
  const { consumer, sent, later } = await parkInTwoRooms();
  const taken: string[] = [];
  for (let before: Delivery | undefined, i = 0; i < 8; i++) {
    before = await next(consumer, before);
    taken.push(before.message.id);
  }

  expect(taken.slice(0, 2).sort()).toEqual(sent.sort());
  expect(taken.slice(2)).toEqual(later);
});

it.each([1, 2, 3, 4, 5])(
  'of two rooms the one is listed that is taken from first (each made at random: %i)',
  async () => {
    const { broker, queue } = await parkAtOnce([1, 2]);
    const { consumer } = await serve(broker, queue, 10);
    await until(async () => (await consumer.rooms()).length === 1 && consumer.idle === 10);
    const [{ weight } = { weight: 0 }] = await consumer.rooms();

    expect(await consumer.take(resource, { weight: 3 - weight })).toEqual({ kind: 'other', weight });
    expect(await consumer.take(resource, { weight })).toMatchObject({ kind: 'taken' });
  },
);
