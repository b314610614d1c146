import { expect, it } from 'vitest';
import { until } from '../../support/until.js';
import {
  again,
  call,
  calls,
  deliveryOf,
  done,
  idsOf,
  type Kit,
  parked,
  resource,
  untilDepth,
} from './kit.js';

export function takingSuite(kit: Kit): void {
  it('takes from a room, and tells where it comes from', async () => {
    const [alice, bob] = [await kit.connect(), await kit.connect()];
    const queue = kit.queue();
    const [message] = calls(1);
    await kit.park(alice, queue, [message!]);
    const hands = await kit.work(bob, queue);

    const delivery = await hands.taken(resource);

    expect(delivery.message).toEqual(message);
    expect(delivery).toMatchObject({ queue, room: resource, losses: 0, revoked: false });
    expect(hands.deliveries).toEqual([]);
    await untilDepth(alice, queue, { running: 1 });
    expect(await delivery.settle(done)).toBe(true);
    await untilDepth(alice, queue, {});
  });

  it('answers that a room is empty, and that there is none', async () => {
    const broker = await kit.connect();
    const queue = kit.queue();
    await kit.park(broker, queue, calls(1));
    const hands = await kit.work(broker, queue, { concurrency: 2 });
    await hands.taken(resource);

    expect(await hands.take(resource)).toEqual({ kind: 'empty' });
    expect(await hands.take('never heard of')).toEqual({ kind: 'empty' });
    await until(() => hands.consumer.idle === 1);
  });

  it('leaves a message of another weight where it is, and tells its weight', async () => {
    const broker = await kit.connect();
    const queue = kit.queue();
    const [heavy, light] = calls(2);
    await kit.park(broker, queue, [heavy!], { weight: 3, capacity: 5 });
    await kit.park(broker, queue, [light!], { weight: 1, capacity: 5 });
    const hands = await kit.work(broker, queue, { concurrency: 2 });

    expect(await hands.take(resource, 1)).toEqual({ kind: 'other', weight: 3 });
    expect(await hands.take(resource, 4)).toEqual({ kind: 'other', weight: 3 });
    await untilDepth(broker, queue, { parked: 2 });

    expect((await hands.taken(resource, 3)).message.id).toBe(heavy!.id);
    expect((await hands.taken(resource, 1)).message.id).toBe(light!.id);
  });

  it('settles one delivery and takes the next in one step, in the same slot', async () => {
    const broker = await kit.connect();
    const queue = kit.queue();
    const messages = calls(4);
    await kit.park(broker, queue, messages);
    const hands = await kit.work(broker, queue);
    const ids: string[] = [];

    let taken = await hands.take(resource);
    while (taken.kind === 'taken') {
      ids.push(taken.delivery.message.id);
      await untilDepth(broker, queue, { running: 1, parked: messages.length - ids.length });
      taken = await hands.handOff(taken.delivery, resource);
    }

    expect(ids).toEqual(idsOf(messages));
    expect(taken).toEqual({ kind: 'empty' });
    await untilDepth(broker, queue, {});
  });

  it('settles in any case, also when it takes nothing', async () => {
    const broker = await kit.connect();
    const queue = kit.queue();
    await kit.park(broker, queue, calls(1), { weight: 2 });
    await broker.publish(calls(2), { queue });
    const hands = await kit.work(broker, queue, { concurrency: 2 });
    const [first, second] = await hands.receive(2);

    expect(await hands.handOff(first!, 'nobody parked here')).toEqual({ kind: 'empty' });
    await untilDepth(broker, queue, { running: 1, parked: 1 });
    expect(await hands.handOff(second!, resource)).toEqual({ kind: 'other', weight: 2 });

    await untilDepth(broker, queue, { parked: 1 });
    expect(await first!.settle(done)).toBe(false);
    expect(await second!.settle(done)).toBe(false);
  });

  it('settles with any outcome', async () => {
    const broker = await kit.connect();
    const queue = kit.queue();
    await kit.park(broker, queue, calls(4));
    const hands = await kit.work(broker, queue);

    let delivery = await hands.taken(resource);
    const outcomes = [
      { kind: 'aside', reason: 'poison' } as const,
      again(delivery.message, 60_000),
      parked(delivery.message, { resource: 'scanner' }),
    ];
    for (const outcome of outcomes) delivery = deliveryOf(await hands.handOff(delivery, resource, outcome));
    expect(await hands.handOff(delivery, resource)).toEqual({ kind: 'empty' });

    await untilDepth(broker, queue, { apart: 1, delayed: 1, parked: 1 });
  });

  it('takes nothing for a delivery that was settled before', async () => {
    const broker = await kit.connect();
    const queue = kit.queue();
    await kit.park(broker, queue, calls(2));
    const hands = await kit.work(broker, queue);
    const delivery = await hands.taken(resource);
    await delivery.settle(done);

    expect(await hands.handOff(delivery, resource)).toEqual({ kind: 'void' });

    await untilDepth(broker, queue, { parked: 1 });
  });

  it('gives every message to one taker only', async () => {
    const [alice, bob] = [await kit.connect(), await kit.connect()];
    const queue = kit.queue();
    const messages = calls(10);
    await kit.park(alice, queue, messages);
    const one = await kit.work(alice, queue, { concurrency: 10 });
    const two = await kit.work(bob, queue, { concurrency: 10 });

    const takes = Array.from({ length: 16 }, (_, i) => (i % 2 ? one : two).take(resource));
    const taken = (await Promise.all(takes)).filter(({ kind }) => kind === 'taken').map(deliveryOf);

    expect(taken.map(({ message }) => message.id).sort()).toEqual(idsOf(messages).sort());
  });

  // A broker that knows no priorities keeps its rooms in the order of parking: plain queues can do no more.
  if (kit.features.priority) {
    it('takes in publish order, whatever the order of parking and however often', async () => {
      const broker = await kit.connect();
      const queue = kit.queue();
      const messages = calls(6);
      await broker.publish(messages, { queue });
      const hands = await kit.work(broker, queue, { concurrency: 6 });
      const received = await hands.receiveEach(messages);
      for (const i of [3, 0, 5, 1, 4, 2]) await received[i]!.settle(parked(received[i]!.message));
      for (let round = 0; round < 2; round++) {
        const [first, second] = [await hands.taken(resource), await hands.taken(resource)];
        expect([first.message.id, second.message.id]).toEqual(idsOf(messages.slice(0, 2)));
        await second.settle(parked(second.message));
        await first.settle(parked(first.message));
      }

      const ids: string[] = [];
      for (const _ of messages) ids.push((await hands.taken(resource)).message.id);

      expect(ids).toEqual(idsOf(messages));
    });

    it('takes in publish order what was delayed before', async () => {
      const broker = await kit.connect();
      const queue = kit.queue();
      const [first, second] = [call({ args: [1] }), call({ args: [2] })];
      await broker.publish([first, second], { queue });
      const hands = await kit.work(broker, queue, { concurrency: 2 });
      const [one, two] = await hands.receiveEach([first, second]);

      await one!.settle(again(first, 300));
      await two!.settle(parked(second));
      await kit.pass(500);
      await (await hands.receiveOne()).settle(parked(first));

      expect((await hands.taken(resource)).message.id).toBe(first.id);
    });

    it('takes the highest priority first', async () => {
      const broker = await kit.connect();
      const queue = kit.queue();
      const messages = [1, 9, 0, 9, 5].map((priority) => call({ priority }));
      await kit.park(broker, queue, messages);
      const hands = await kit.work(broker, queue, { concurrency: 5 });

      const ids: string[] = [];
      for (const _ of messages) ids.push((await hands.taken(resource)).message.id);

      expect(ids).toEqual(idsOf([1, 3, 4, 0, 2].map((i) => messages[i]!)));
    });

    it('takes the first over all queues served, by priority', async () => {
      const broker = await kit.connect();
      const [one, two, other] = [kit.queue(), kit.queue(), kit.queue()];
      const [low, high, highest] = [1, 5, 9].map((priority) => call({ priority }));
      await kit.park(broker, one, [low!]);
      await kit.park(broker, two, [high!]);
      await kit.park(broker, other, [highest!]);
      const hands = await kit.work(broker, [one, two], { concurrency: 3 });

      expect((await hands.taken(resource)).message.id).toBe(high!.id);
      expect((await hands.taken(resource)).message.id).toBe(low!.id);
      expect(await hands.take(resource)).toEqual({ kind: 'empty' });
    });
  }
}
