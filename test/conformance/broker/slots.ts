import { expect, it } from 'vitest';
import type { Consumer, Delivery, Outcome } from '../../../src/brokers/broker.js';
import { until } from '../../support/until.js';
import { again, call, calls, done, type Kit, parked, resource, untilDepth } from './kit.js';

export function slotSuite(kit: Kit): void {
  it('hands over as many as there are slots, and one more for each that is settled', async () => {
    const broker = await kit.connect();
    const queue = kit.queue();
    await broker.publish(calls(10), { queue });
    const hands = await kit.work(broker, queue, { concurrency: 3 });

    const [first] = await hands.receive(3);
    await kit.quiet();
    expect(hands.deliveries).toHaveLength(3);
    expect(hands.consumer.idle).toBe(0);

    await first!.settle(done);
    await hands.receiveOne();
    await kit.quiet();
    expect(hands.deliveries).toHaveLength(4);
    await untilDepth(broker, queue, { ready: 6, running: 3 });
  });

  it('says that there is more for a slot only where there is', async () => {
    const broker = await kit.connect();
    const queue = kit.queue();
    const hands = await kit.work(broker, queue);
    expect(hands.consumer.more ?? false).toBe(false);

    await broker.publish(calls(1), { queue });
    await hands.receiveOne();
    await kit.quiet();
    expect(hands.consumer.more ?? false).toBe(false);

    await broker.publish(calls(1), { queue });
    await kit.quiet();
    await hands.consumer.stop();
    expect(hands.consumer.more ?? false).toBe(false);
  });

  it('expects more for a slot only where the queues had more', async () => {
    const broker = await kit.connect();
    const queue = kit.queue();
    await broker.publish(calls(5), { queue });
    const hands = await kit.work(broker, queue, { concurrency: 3 });
    const first = await hands.receive(3);
    await kit.quiet();
    expect(hands.consumer.expecting ?? true).toBe(true);

    for (const delivery of first) await delivery.settle(done);
    await hands.receive(2);
    await kit.quiet();
    expect(hands.consumer.expecting ?? false).toBe(false);
  });

  it('counts as idle the slots that the queues have nothing for', async () => {
    const broker = await kit.connect();
    const queue = kit.queue();
    const hands = await kit.work(broker, queue, { concurrency: 3 });
    await until(() => hands.consumer.idle === 3);

    await broker.publish(calls(2), { queue });
    const [first, second] = await hands.receive(2);
    await until(() => hands.consumer.idle === 1);
    await first!.settle(done);
    await until(() => hands.consumer.idle === 2);
    await second!.settle(done);
    await until(() => hands.consumer.idle === 3);
  });

  it('counts a slot that holds a taken message as used', async () => {
    const broker = await kit.connect();
    const queue = kit.queue();
    await kit.park(broker, queue, calls(2));
    const hands = await kit.work(broker, queue, { concurrency: 2 });

    const taken = await hands.taken(resource);
    await until(() => hands.consumer.idle === 1);
    await hands.taken(resource);
    expect(hands.consumer.idle).toBe(0);

    await broker.publish(calls(1), { queue });
    await kit.quiet();
    expect(hands.deliveries).toEqual([]);
    await taken.settle(done);
    await hands.receiveOne();
  });

  it('serves a freed slot from the queues before it calls it idle', async () => {
    const broker = await kit.connect();
    const queue = kit.queue();
    await broker.publish(
      ['a', 'b', 'c'].map((name) => call({ args: [name] })),
      { queue },
    );
    const hands = await kit.work(broker, queue);

    for (let i = 0; i < 3; i++) await (await hands.receiveOne()).settle(done);
    await until(() => hands.events.includes('idle'));

    expect(hands.events.slice(0, 4)).toEqual(['a', 'b', 'c', 'idle']);
  });

  it('tells again that a slot is idle after it was used, and not without cause', async () => {
    const broker = await kit.connect();
    const queue = kit.queue();
    const hands = await kit.work(broker, queue);
    await broker.publish([call({ args: ['a'] })], { queue });
    const first = await hands.receiveOne();
    hands.events.length = 0;

    await first.settle(done);
    await until(() => hands.events.includes('idle'));
    await kit.quiet();
    expect(hands.events).toEqual(['idle']);

    await broker.publish([call({ args: ['b'] })], { queue });
    await (await hands.receiveOne()).settle(done);
    await until(() => hands.events.length === 3);
    expect(hands.events).toEqual(['idle', 'b', 'idle']);
  });

  it('tells that a slot is idle after a take that found nothing for it', async () => {
    const broker = await kit.connect();
    const queue = kit.queue();
    const hands = await kit.work(broker, queue);
    await broker.publish(calls(1), { queue });
    const delivery = await hands.receiveOne();
    hands.events.length = 0;

    expect(await hands.handOff(delivery, resource)).toEqual({ kind: 'empty' });

    await until(() => hands.events.includes('idle'));
    expect(hands.consumer.idle).toBe(1);
  });

  it('never has more in hand than there are slots, whatever is fetched and taken at once', async () => {
    const broker = await kit.connect();
    const queue = kit.queue();
    const messages = Array.from({ length: 300 }, (_, i) =>
      call({ args: [i % 2 ? 'to the end' : 'once more'] }),
    );
    const slots = new Slots();
    const hands = await kit.work(broker, queue, {
      concurrency: 4,
      onDelivery: (delivery) => void slots.fetched(delivery),
    });

    for (let i = 0; i < messages.length; i += 10) {
      await broker.publish(messages.slice(i, i + 10), { queue });
      await Promise.all(Array.from({ length: 3 }, () => slots.chain(hands.consumer)));
    }
    await until(async () => {
      await slots.chain(hands.consumer);
      return slots.ended === messages.length;
    });

    expect(slots.most).toBe(4);
    await untilDepth(broker, queue, {});
  });
}

/** Parks what was not parked before, takes it from its room later, and counts what is in hand for certain. */
class Slots {
  most = 0;
  ended = 0;
  #inHand = 0;

  async fetched(delivery: Delivery): Promise<void> {
    await this.#hold();
    const { message } = delivery;
    await delivery.settle(this.#outcome(parked({ ...message, deferrals: 1 }), message.deferrals > 0));
  }

  async chain(consumer: Consumer): Promise<void> {
    let taken = consumer.idle > 0 ? await consumer.take(resource, { weight: 1 }) : undefined;
    while (taken?.kind === 'taken') {
      const { delivery } = taken;
      await this.#hold();
      const [once] = delivery.message.args;
      const outcome = this.#outcome(again(delivery.message), once === 'to the end');
      taken = await consumer.take(resource, { weight: 1, settling: { delivery, outcome } });
    }
  }

  async #hold(): Promise<void> {
    this.most = Math.max(this.most, ++this.#inHand);
    await new Promise((resolve) => setImmediate(resolve));
    // A slot may be used again as soon as the broker hears of its end, so it counts no longer than that.
    this.#inHand--;
  }

  #outcome(otherwise: Outcome, isOver: boolean): Outcome {
    if (isOver) this.ended++;
    return isOver ? done : otherwise;
  }
}
