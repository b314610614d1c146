import { connect } from 'amqplib';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Delivery } from '../../src/brokers/broker.js';
import type { RabbitConsumer } from '../../src/brokers/rabbitmq/consumer.js';
import type { RabbitDelivery } from '../../src/brokers/rabbitmq/delivery.js';
import { RabbitmqBroker } from '../../src/brokers/rabbitmq.js';
import { calls, done, idsOf, parked, resource, untilDepth } from '../conformance/broker/kit.js';
import { startProxy } from '../support/proxy.js';
import { useShared } from '../support/servers/index.js';
import { until } from '../support/until.js';
import { newQueue } from './rabbitmq-kit.js';

const server = useShared('rabbitmq');

function open(url = server.url): RabbitmqBroker {
  const broker = new RabbitmqBroker(url);
  onTestFinished(() => broker.close());
  return broker;
}

async function serve(broker: RabbitmqBroker, queue: string, concurrency: number) {
  const deliveries: Delivery[] = [];
  const errors: Error[] = [];
  const consumer = await broker.consume([queue], {
    concurrency,
    lease: 3_000,
    onDelivery: (delivery) => void deliveries.push(delivery),
    onError: (error) => void errors.push(error as Error),
  });
  return { consumer, deliveries, errors };
}

async function look() {
  const connection = await connect(server.url);
  onTestFinished(() => connection.close());
  return await connection.createChannel();
}

/** Messages that a worker has parked, each in a room of its own. */
async function parkAll(broker: RabbitmqBroker, queue: string, count: number) {
  await broker.publish(calls(count), { queue });
  const hands = await serve(broker, queue, count);
  await until(() => hands.deliveries.length === count);
  await Promise.all(
    hands.deliveries
      .splice(0)
      .map((delivery, i) => delivery.settle(parked(delivery.message, { resource: `r${i}` }))),
  );
  await untilDepth(broker, queue, { parked: count });
  return hands;
}

async function roomsIn(queue: string): Promise<string[]> {
  const channel = await look();
  const names: string[] = [];
  for (
    let note = await channel.get(`lk.${queue}.rooms`);
    note;
    note = await channel.get(`lk.${queue}.rooms`)
  ) {
    names.push((JSON.parse(note.content.toString()) as { name: string }).name);
  }
  await channel.close();
  return names;
}

describe('rooms that somebody has removed', () => {
  it('do not hide the others from depth and purge', async () => {
    const [broker, queue, channel] = [open(), newQueue(), await look()];
    const { consumer } = await parkAll(broker, queue, 20);
    await consumer.close();
    const names = new Set<string>();
    await until(async () => {
      for (const name of await roomsIn(queue)) names.add(name);
      return names.size === 20;
    });
    for (const name of [...names].slice(0, 10)) await channel.deleteQueue(name);
    await until(async () => (await channel.checkQueue(`lk.${queue}.rooms`)).messageCount === 20);

    expect(await broker.depth(queue)).toMatchObject({ parked: 10 });
    expect(await broker.purge(queue)).toBe(10);
    await untilDepth(broker, queue, {});
  });
});

describe('a message whose room is being made', () => {
  async function takenAtTheDoor() {
    const [broker, queue] = [open(), newQueue()];
    const sent = calls(3);
    const hands = await serve(broker, queue, 3);
    await broker.publish(sent, { queue });
    await until(() => hands.deliveries.length === 3);
    const [first, ...others] = hands.deliveries.splice(0) as [Delivery, Delivery, Delivery];
    const parking = others.map((delivery) => delivery.settle(parked(delivery.message)));
    const settling = { delivery: first, outcome: done };
    const taken = await hands.consumer.take(resource, { weight: 1, settling });
    expect(await Promise.all(parking)).toEqual([true, true]);
    await untilDepth(broker, queue, { running: 1, parked: 1 });
    return { ...hands, broker, queue, taken, ids: idsOf(sent) };
  }

  it('is given to whoever takes meanwhile, and the others are parked', async () => {
    const { consumer, broker, queue, taken, ids } = await takenAtTheDoor();
    if (taken.kind !== 'taken') throw new Error(`it was ${taken.kind}`);
    const { delivery } = taken;
    expect(delivery).toMatchObject({ message: { id: ids[1] }, room: resource, losses: 0 });

    const next = await consumer.take(resource, { weight: 1, settling: { delivery, outcome: done } });

    expect(next).toMatchObject({ kind: 'taken', delivery: { message: { id: ids[2] } } });
    await untilDepth(broker, queue, { running: 1 });
  });

  it('comes back once, as lost, when the worker dies that took it', async () => {
    const { consumer, broker, queue, ids } = await takenAtTheDoor();
    (consumer as RabbitConsumer).vanish();
    const { deliveries } = await serve(broker, queue, 3);

    await until(() => deliveries.length === 1);

    expect(deliveries[0]).toMatchObject({ message: { id: ids[1] }, losses: 1 });
    await untilDepth(broker, queue, { running: 1, parked: 1 });
  });

  it('stays where it is when it has another weight, and is parked', async () => {
    const [broker, queue] = [open(), newQueue()];
    const { consumer, deliveries } = await serve(broker, queue, 2);
    await broker.publish(calls(1), { queue });
    await until(() => deliveries.length === 1);
    const [delivery] = deliveries as [Delivery];
    const parking = delivery.settle(parked(delivery.message, { weight: 2 }));

    expect(await consumer.take(resource, { weight: 1 })).toEqual({ kind: 'other', weight: 2 });

    expect(await parking).toBe(true);
    await untilDepth(broker, queue, { parked: 1 });
  });
});

describe('news that is none', () => {
  it('ends no connection', async () => {
    const [broker, queue, channel] = [open(), newQueue(), await look()];
    const { deliveries, errors } = await serve(broker, queue, 1);
    for (const text of ['{', 'null', '7']) channel.publish('lk.news', `lk.${queue}`, Buffer.from(text));
    await broker.publish(calls(1), { queue });
    await until(() => deliveries.length === 1);
    await untilDepth(broker, queue, { running: 1 });
    expect(await deliveries[0]?.settle(done)).toBe(true);
    expect(errors).toEqual([]);
  });
});

describe('a delivery of a connection that was lost', () => {
  it('is not taken for another that has its number on the next one', async () => {
    using proxy = await startProxy(server.url);
    const [broker, worker, queue] = [open(), open(proxy.url(server.url)), newQueue()];
    const { deliveries } = await serve(worker, queue, 1);
    await broker.publish(calls(1), { queue });
    await until(() => deliveries.length === 1);
    const { lane, raw } = deliveries.shift() as RabbitDelivery;
    proxy.cut();
    await until(() => deliveries.length === 1);

    expect(lane.ackFetched(raw)).toBe(false);
    await untilDepth(broker, queue, { running: 1 });
    expect(await deliveries[0]?.settle(done)).toBe(true);
    await untilDepth(broker, queue, {});
  });
});
