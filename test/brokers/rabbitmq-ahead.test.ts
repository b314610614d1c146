import { describe, expect, it, onTestFinished } from 'vitest';
import type { Consumer, Delivery, Taken } from '../../src/brokers/broker.js';
import type { RabbitConsumer } from '../../src/brokers/rabbitmq/consumer.js';
import { RabbitmqBroker } from '../../src/brokers/rabbitmq.js';
import { calls, done, idsOf, parked, resource, untilDepth } from '../conformance/broker/kit.js';
import { useShared } from '../support/servers/index.js';
import { until } from '../support/until.js';
import { newQueue } from './rabbitmq-kit.js';

const server = useShared('rabbitmq');

function open(): RabbitmqBroker {
  const broker = new RabbitmqBroker(server.url);
  onTestFinished(() => broker.close());
  return broker;
}

async function serve(broker: RabbitmqBroker, queue: string, concurrency = 4) {
  const deliveries: Delivery[] = [];
  const consumer = await broker.consume([queue], {
    concurrency,
    lease: 1_000,
    onDelivery: (delivery) => void deliveries.push(delivery),
  });
  return { consumer, deliveries };
}

/** So many messages in a room, and a worker that runs the first of them and has the second sent ahead. */
async function handedOn(count: number) {
  const [broker, queue] = [open(), newQueue()];
  const sent = calls(count);
  const { consumer, deliveries } = await serve(broker, queue, count + 1);
  await broker.publish(sent, { queue });
  await until(() => deliveries.length === count);
  for (const delivery of deliveries.splice(0)) await delivery.settle(parked(delivery.message));
  const first = await next(consumer);
  const second = await next(consumer, first);
  await until(() => consumer.atHand?.(resource) === true);
  return { broker, queue, ids: idsOf(sent), consumer, deliveries, second };
}

/** Its message: of a hand-off, where there is one before. */
async function next(consumer: Consumer, before?: Delivery): Promise<Delivery> {
  const settling = before && { settling: { delivery: before, outcome: done } };
  const taken: Taken = await consumer.take(resource, { weight: 1, ...settling });
  if (taken.kind !== 'taken') throw new Error(`it was ${taken.kind}`);
  return taken.delivery;
}

describe('a message that was sent ahead of a hand-off', () => {
  it('is the next, though the run before is not settled yet', async () => {
    const { broker, queue, ids, consumer, second } = await handedOn(4);
    expect(await broker.depth(queue)).toMatchObject({ running: 1, parked: 2 });

    const third = await next(consumer);

    expect(third).toMatchObject({ message: { id: ids[2] }, room: resource, losses: 0 });
    await untilDepth(broker, queue, { running: 2, parked: 1 });
    expect(await second.settle(done)).toBe(true);
    await until(() => consumer.atHand?.(resource) === true);
    expect((await next(consumer, third)).message.id).toBe(ids[3]);
    await untilDepth(broker, queue, { running: 1 });
  });

  it('goes back to the front of its room when the run before takes long, and others take it then', async () => {
    const { broker, queue, ids, consumer } = await handedOn(4);
    const other = await serve(broker, queue);
    await until(() => other.consumer.idle > 0 && consumer.atHand?.(resource) === false);
    await untilDepth(broker, queue, { running: 1, parked: 2 });

    const taken = [await next(other.consumer), await next(other.consumer)];

    expect(taken.map(({ message }) => message.id)).toEqual([ids[2], ids[3]]);
    expect(taken.map(({ losses }) => losses)).toEqual([0, 0]);
  });

  it('is told of when it goes back, for its room may have been found empty meanwhile', async () => {
    const { broker, queue, ids } = await handedOn(3);
    const rooms: string[] = [];
    const consumer = await broker.consume([queue], {
      concurrency: 1,
      lease: 1_000,
      onDelivery: () => {},
      onRoom: (room) => void rooms.push(room.resource),
    });

    await until(() => rooms.includes(resource) && consumer.idle > 0);

    expect((await next(consumer)).message.id).toBe(ids[2]);
  });

  it('goes back when its worker stops', async () => {
    const { broker, queue, ids, consumer, second } = await handedOn(3);
    await consumer.stop();
    expect(await second.settle(done)).toBe(true);
    const other = await serve(broker, queue);
    await until(() => other.consumer.idle > 0);

    expect(await next(other.consumer)).toMatchObject({ message: { id: ids[2] }, losses: 0 });
  });

  it('comes back with what ran when its worker dies', async () => {
    const { broker, queue, ids, consumer } = await handedOn(3);
    (consumer as RabbitConsumer).vanish();
    const other = await serve(broker, queue);

    await until(() => other.deliveries.length === 2);

    expect(idsOf(other.deliveries.map(({ message }) => message)).sort()).toEqual(ids.slice(1).sort());
    expect(other.deliveries.map(({ losses }) => losses)).toEqual([1, 1]);
    await untilDepth(broker, queue, { running: 2 });
  });
});

describe('a message whose room was made while a run goes on', () => {
  /** The first is in hand, and the others are parked. */
  async function becameBusy() {
    const [broker, queue] = [open(), newQueue()];
    const sent = calls(4);
    const { consumer, deliveries } = await serve(broker, queue, 6);
    await broker.publish(sent, { queue });
    await until(() => deliveries.length === 4);
    const [first, ...others] = deliveries.splice(0) as [Delivery, ...Delivery[]];
    const parking = others.map((delivery) => delivery.settle(parked(delivery.message)));
    await untilDepth(broker, queue, { running: 1, parked: 2 });
    return { broker, queue, ids: idsOf(sent), consumer, first, parking };
  }

  it('waits for the hand-off that is likely, and the others are parked meanwhile', async () => {
    const { broker, queue, ids, consumer, first, parking } = await becameBusy();
    expect(consumer.atHand?.(resource)).toBe(true);

    const second = await next(consumer);

    expect(second).toMatchObject({ message: { id: ids[1] }, room: resource, losses: 0 });
    expect(await Promise.all([first.settle(done), ...parking])).toEqual([true, true, true, true]);
    expect((await next(consumer, second)).message.id).toBe(ids[2]);
    await untilDepth(broker, queue, { running: 1, parked: 1 });
  });

  it('is parked before the others when there is none', async () => {
    const { broker, queue, ids, parking } = await becameBusy();
    expect(await Promise.all(parking)).toEqual([true, true, true]);
    await untilDepth(broker, queue, { running: 1, parked: 3 });
    const { consumer } = await serve(broker, queue, 4);
    await until(() => consumer.idle > 0);

    const taken = [await next(consumer), await next(consumer), await next(consumer)];

    expect(taken.map(({ message }) => message.id)).toEqual(ids.slice(1));
  });

  it('is parked at once when the worker stops', async () => {
    const { broker, queue, consumer, first, parking } = await becameBusy();
    await consumer.stop();
    expect(await Promise.all([first.settle(done), ...parking])).toEqual([true, true, true, true]);
    await untilDepth(broker, queue, { parked: 3 });
  });

  it('comes back, as lost, when the worker dies that kept it waiting', async () => {
    const { broker, queue, ids, consumer } = await becameBusy();
    (consumer as RabbitConsumer).vanish();
    const { deliveries } = await serve(broker, queue, 4);

    await until(() => deliveries.length === 2);

    expect(idsOf(deliveries.map(({ message }) => message)).sort()).toEqual(ids.slice(0, 2).sort());
    await untilDepth(broker, queue, { running: 2, parked: 2 });
  });
});

describe('rooms that two workers have made for one resource at once', () => {
  it('are taken from first where nobody parks any more', async () => {
    const [broker, queue] = [open(), newQueue()];
    const hands = [await serve(broker, queue, 1), await serve(broker, queue, 1)] as const;
    const sent = calls(2);
    await broker.publish(sent, { queue });
    await until(() => hands.every(({ deliveries }) => deliveries.length === 1));
    await Promise.all(hands.map(async ({ deliveries: [one] }) => one?.settle(parked(one.message))));
    const later = calls(6);
    for (const message of later) {
      await broker.publish([message], { queue });
      await until(() => hands.some(({ deliveries }) => deliveries.at(-1)?.message.id === message.id));
      const [by] = hands.filter(({ deliveries }) => deliveries.at(-1)?.message.id === message.id);
      await by?.deliveries.at(-1)?.settle(parked(message));
    }

    const { consumer } = await serve(broker, queue, 10);
    await until(() => consumer.idle >= 8);
    const taken: string[] = [];
    for (let i = 0; i < 8; i++) taken.push((await next(consumer)).message.id);

    expect(taken.slice(0, 2).sort()).toEqual(idsOf(sent).sort());
    expect(taken.slice(2)).toEqual(idsOf(later));
  });
});
