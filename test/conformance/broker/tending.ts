import { expect, it } from 'vitest';
import { again, calls, done, idsOf, type Kit, parked, resource, untilDepth } from './kit.js';

const countdown = 1_000;

export function tendingSuite(kit: Kit): void {
  it('calls a room an orphan that nobody attended for its countdown', async () => {
    const [alice, bob] = [await kit.connect(), await kit.connect()];
    const queue = kit.queue();
    await kit.park(alice, queue, calls(2), { countdown, weight: 2, capacity: 3 });
    const hands = await kit.work(bob, queue);
    expect(await hands.consumer.orphans()).toEqual([]);

    await kit.pass(countdown + 200);

    expect(await hands.consumer.orphans()).toEqual([{ queue, resource, weight: 2, capacity: 3, countdown }]);
  });

  it('counts the question for orphans as attending them, for everybody', async () => {
    const [alice, bob] = [await kit.connect(), await kit.connect()];
    const queue = kit.queue();
    await kit.park(alice, queue, calls(1), { countdown });
    const [one, two] = [await kit.work(alice, queue), await kit.work(bob, queue)];
    await kit.pass(countdown + 200);

    const answers = await Promise.all([one.consumer.orphans(), two.consumer.orphans()]);
    expect(answers.flat()).toHaveLength(1);
    expect(await one.consumer.orphans()).toEqual([]);
    await kit.pass(countdown + 200);

    expect(await two.consumer.orphans()).toHaveLength(1);
  });

  it('calls no room an orphan that somebody attends', async () => {
    const [alice, bob] = [await kit.connect(), await kit.connect()];
    const [queue, other] = [kit.queue(), kit.queue()];
    await kit.park(alice, queue, calls(1), { countdown });
    await kit.park(alice, other, calls(1), { countdown });
    const [one, two] = [await kit.work(alice, [queue, other]), await kit.work(bob, [queue, other])];

    await kit.pass(700);
    await one.consumer.attend([{ queue, resource }]);
    await kit.pass(550);
    expect((await two.consumer.orphans()).map((room) => room.queue)).toEqual([other]);
    await kit.pass(550);

    expect((await two.consumer.orphans()).map((room) => room.queue)).toEqual([queue]);
  });

  it('counts parking and taking as attending', async () => {
    const broker = await kit.connect();
    const queue = kit.queue();
    await kit.park(broker, queue, calls(2), { countdown });
    const hands = await kit.work(broker, queue, { concurrency: 2 });

    await kit.pass(700);
    const delivery = await hands.taken(resource);
    await kit.pass(550);
    expect(await hands.consumer.orphans()).toEqual([]);
    await delivery.settle(parked(delivery.message, { countdown }));
    await kit.pass(550);
    expect(await hands.consumer.orphans()).toEqual([]);
    await kit.pass(550);

    expect(await hands.consumer.orphans()).toHaveLength(1);
  });

  it('names no orphans of queues that are not served, and attends none for others', async () => {
    const broker = await kit.connect();
    const [queue, other] = [kit.queue(), kit.queue()];
    await kit.park(broker, queue, calls(1), { countdown });
    const stranger = await kit.work(broker, other);
    await kit.pass(countdown + 200);

    expect(await stranger.consumer.orphans()).toEqual([]);

    const hands = await kit.work(broker, queue);
    expect(await hands.consumer.orphans()).toHaveLength(1);
  });

  it('accepts that a room is attended which is not there', async () => {
    const broker = await kit.connect();
    const queue = kit.queue();
    const hands = await kit.work(broker, queue);

    await hands.consumer.attend([{ queue, resource: 'nobody parked here' }]);
    await hands.consumer.attend([]);

    expect(await hands.consumer.rooms()).toEqual([]);
  });

  it('leaves a message in its room whose deadline is not yet reached', async () => {
    const broker = await kit.connect();
    const queue = kit.queue();
    await kit.park(broker, queue, calls(1), { deadline: kit.wall() + 60_000 });
    const hands = await kit.work(broker, queue);

    await kit.quiet();

    expect(hands.deliveries).toEqual([]);
    await untilDepth(broker, queue, { parked: 1 });
  });

  it('does not deliver at its deadline what was taken before', async () => {
    const broker = await kit.connect();
    const queue = kit.queue();
    await kit.park(broker, queue, calls(1), { deadline: kit.wall() + 1_500 });
    const hands = await kit.work(broker, queue, { concurrency: 2 });
    const delivery = await hands.taken(resource);

    await kit.pass(2_000);

    expect(hands.deliveries).toEqual([]);
    expect(await delivery.settle(done)).toBe(true);
    await untilDepth(broker, queue, {});
  });

  if (kit.features.deadlines) {
    it('brings a parked message back to its queue at its deadline, and no other', async () => {
      const broker = await kit.connect();
      const queue = kit.queue();
      const messages = calls(3);
      await kit.park(broker, queue, messages.slice(0, 1), { deadline: kit.wall() + 60_000 });
      await kit.park(broker, queue, messages.slice(1, 2), { deadline: kit.wall() + 1_500 });
      await kit.park(broker, queue, messages.slice(2));
      const hands = await kit.work(broker, queue, { concurrency: 3 });
      await kit.pass(300);
      expect(hands.deliveries).toEqual([]);

      await kit.pass(1_500);
      const delivery = await hands.receiveOne();
      await kit.quiet();

      expect(hands.ids).toEqual(idsOf(messages.slice(1, 2)));
      expect(delivery.room).toBeUndefined();
      expect(delivery.losses).toBe(0);
      await untilDepth(broker, queue, { parked: 2, running: 1 });
    });

    it('keeps the deadline while nobody is there', async () => {
      const broker = await kit.connect();
      const queue = kit.queue();
      await kit.park(broker, queue, calls(1), { deadline: kit.wall() + 500 });

      await kit.pass(1_000);

      await (await kit.work(broker, queue)).receiveOne();
    });

    it('goes by the deadline of the last parking', async () => {
      const broker = await kit.connect();
      const queue = kit.queue();
      await kit.park(broker, queue, calls(1), { deadline: kit.wall() + 1_000 });
      const hands = await kit.work(broker, queue);
      const delivery = await hands.taken(resource);
      await delivery.settle(parked(delivery.message));

      await kit.pass(1_500);

      expect(hands.deliveries).toEqual([]);
      const other = await hands.taken(resource);
      await other.settle(again(other.message));
      await hands.receiveOne();
    });
  }
}
