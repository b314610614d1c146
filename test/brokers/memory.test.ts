import { describe, expect, it } from 'vitest';
import type { Delivery } from '../../src/brokers/broker.js';
import { MemoryBroker, memoryBroker } from '../../src/brokers/memory.js';
import { encode } from '../../src/message.js';
import { ManualClock, settle } from '../../src/testing/manual-clock.js';
import { again, call, calls, deliveryOf, done, idsOf, parked, resource } from '../conformance/broker/kit.js';
import { brokerSuite } from '../conformance/broker.js';
import { until } from '../support/until.js';
import { lease, queue, start, vanish } from './memory-kit.js';

const clock = new ManualClock();
let broker = new MemoryBroker({ clock });
let queues = 0;

brokerSuite('memory', {
  features: { priority: true, atomicAgain: true, revocation: true, deadlines: true, inspection: true },
  lease,
  // One process is one party: whoever connects gets the same broker, and every test a new one.
  connect: async () => broker,
  pass: (ms) => clock.advance(ms),
  wall: () => clock.wall(),
  vanish,
  inject: async (name, text) => broker.inject(name, text),
  queue: () => `queue-${++queues}`,
  cleanup: async () => {
    await broker.close();
    expect(clock.next).toBeUndefined();
    broker = new MemoryBroker({ clock });
  },
});

describe('memory broker, beyond what is asked of all', () => {
  it('gives what is done again, lost or late its old place in the queue, and what is replayed a new one', async () => {
    const clock = new ManualClock();
    const broker = new MemoryBroker({ clock });
    const messages = calls(6);
    await broker.publish(messages.slice(0, 1), { queue, delay: 100 });
    await broker.publish(messages.slice(1), { queue });
    const first: Delivery[] = [];
    const options = { concurrency: 4, lease, onDelivery: (delivery: Delivery) => void first.push(delivery) };
    const consumer = await broker.consume([queue], options);
    await settle();
    await consumer.stop();
    await first[1]!.settle(again(first[1]!.message));
    await first[2]!.settle(again(first[2]!.message, 50));
    await first[0]!.settle({ kind: 'aside', reason: 'test' });
    await consumer.close();
    await clock.advance(100);
    await broker.replay(queue, (await broker.aside(queue))[0]!.id);

    const ids: string[] = [];
    await broker.consume([queue], {
      ...options,
      onDelivery: ({ message }) => void ids.push(message.id),
      concurrency: 9,
    });
    await settle();

    expect(ids).toEqual(idsOf([0, 2, 3, 4, 5, 1].map((i) => messages[i]!)));
  });

  it('has no timer but for the next thing to happen, and none at rest', async () => {
    const { clock, broker, consumer, publish } = await start();
    expect(clock.next).toBeUndefined();
    const [first, second] = await publish(calls(2));
    await first!.settle(parked(first!.message, { deadline: clock.wall() + 500 }));
    await second!.settle(again(second!.message, 700));
    expect(clock.next).toBe(500);
    const taken = deliveryOf(await consumer.take(resource, { weight: 1 }));
    await clock.advance(600);
    expect(clock.next).toBe(100);
    await taken.settle(done);
    expect(await broker.purge(queue)).toBe(1);

    expect(clock.next).toBeUndefined();
  });

  it('leaves no timer when what waits is revoked, or the broker closes', async () => {
    const { clock, broker, consumer } = await start();
    const [message, other] = calls(2);
    await broker.publish([message!], { queue, delay: 1_000 });
    await broker.revoke(message!.id);
    expect(clock.next).toBeUndefined();

    await broker.publish([other!], { queue, delay: 1_000 });
    await vanish(consumer);
    await broker.close();
    expect(clock.next).toBeUndefined();
  });

  it('delivers at once what is published late and was revoked before, for a day', async () => {
    const { clock, broker, deliveries } = await start();
    const [message] = calls(1);
    await broker.revoke(message!.id);
    await broker.publish([message!], { queue, delay: 60_000 });
    await settle();
    expect(deliveries.splice(0).map(({ revoked }) => revoked)).toEqual([true]);

    await clock.advance('1d');
    await broker.publish([message!], { queue });
    await settle();
    expect(deliveries.map(({ revoked }) => revoked)).toEqual([false]);
  });

  it('reaches every message of a revoked id, and those whose id was not known when they came', async () => {
    const { broker, consumer, deliveries, publish } = await start();
    const [message, foreign] = calls(2);
    await broker.publish([message!, message!], { queue, delay: 1_000 });
    broker.inject(queue, encode(foreign!));
    const [delivery] = await publish([]);
    await delivery!.settle(parked(foreign!));

    await broker.revoke(message!.id);
    await broker.revoke(foreign!.id);
    await settle();

    expect(deliveries.map(({ message }) => message.id)).toEqual([message!.id, message!.id, foreign!.id]);
    expect(await consumer.rooms()).toEqual([]);
  });

  it('leaves timers their turn while a backlog of short tasks is worked off', async () => {
    const broker = memoryBroker();
    await broker.publish(calls(20_000), { queue });
    let settled = 0;
    const onDelivery = (delivery: Delivery) => void delivery.settle(done).then(() => settled++);
    await broker.consume([queue], { concurrency: 5, lease, onDelivery });

    await new Promise((resolve) => setTimeout(resolve, 0));
    expect(settled).toBeLessThan(20_000);
    await until(() => settled === 20_000);
    await broker.close();
  });

  it('keeps time by the clock of the machine when it is given none', async () => {
    const broker = memoryBroker();
    let delivered = 0;
    await broker.consume([queue], {
      concurrency: 1,
      lease,
      onDelivery: () => (delivered = performance.now()),
    });
    const start = performance.now();
    await broker.publish(calls(1), { queue, delay: 30 });

    await until(() => delivered > 0);

    expect(delivered - start).toBeGreaterThanOrEqual(30);
    await broker.close();
  });

  it('publishes all of a call or nothing', async () => {
    const { broker, publish } = await start();
    const endless: unknown[] = [];
    endless.push(endless);

    await expect(broker.publish([call(), call({ args: endless })], { queue })).rejects.toThrow();
    expect(await broker.depth(queue)).toMatchObject({ ready: 0, running: 0 });

    const [delivery] = await publish();
    await expect(delivery!.settle(again(call({ args: endless })))).rejects.toThrow(TypeError);
    expect(await delivery!.settle(done)).toBe(true);
  });

  it('parks and takes 100,000 messages of one resource in order', async () => {
    const count = 100_000;
    const messages = Array.from({ length: count }, (_, i) => call({ id: `${i}`, args: [], priority: i % 2 }));
    const deadline = Number.MAX_SAFE_INTEGER;
    const broker = memoryBroker();
    let left = count;
    const onDelivery = (delivery: Delivery) => {
      void delivery.settle(parked(delivery.message, { deadline })).then(() => left--);
    };
    const consumer = await broker.consume([queue], { concurrency: 10, lease, onDelivery });
    await broker.publish(messages, { queue });
    await until(() => left === 0, 15_000);

    const ids: number[] = [];
    let taken = await consumer.take(resource, { weight: 1 });
    while (taken.kind === 'taken') {
      const { delivery } = taken;
      ids.push(Number(delivery.message.id));
      taken = await consumer.take(resource, { weight: 1, settling: { delivery, outcome: done } });
    }

    expect(ids).toHaveLength(count);
    expect(ids.every((id, i) => id === (i < count / 2 ? 2 * i + 1 : 2 * (i - count / 2)))).toBe(true);
    await broker.close();
  });
});
