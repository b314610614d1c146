import { expect, it } from 'vitest';
import { until } from '../../support/until.js';
import { call, calls, done, idsOf, type Kit, untilDepth } from './kit.js';

export function deliverySuite(kit: Kit): void {
  it('says what it is', async () => {
    const broker = await kit.connect();
    expect(broker.kind).toMatch(/^[a-z]+$/);
    expect(broker.features).toEqual(kit.features);
  });

  it('has every message when publishing resolves, whether or not anybody consumes', async () => {
    const [alice, bob] = [await kit.connect(), await kit.connect()];
    const queue = kit.queue();

    await alice.publish(calls(3), { queue });

    expect((await bob.depth(queue)).ready).toBe(3);
  });

  it('carries every field of a message to another party', async () => {
    const [alice, bob] = [await kit.connect(), await kit.connect()];
    const queue = kit.queue();
    const message = call({
      args: [null, true, 1.5, 'ä', [1, [2]], { a: { b: null } }],
      retries: 2,
      deferrals: 3,
      priority: kit.features.priority ? 4 : 0,
      expires: 1_800_000_000_000,
      shares: [{ key: 'storage', weight: 2 }, null],
      booking: 'b1',
      deferredAt: 1_700_000_000_001,
      warned: true,
      moves: 1,
      retry: { max: 5, delay: 100 },
      ignoreResult: true,
      origin: 'host:1',
      parentId: 'p',
      rootId: 'r',
    });
    await alice.publish([message], { queue });

    const delivery = await (await kit.work(bob, queue)).receiveOne();

    expect(delivery.message).toEqual(message);
    expect(delivery.queue).toBe(queue);
    expect(delivery.room).toBeUndefined();
    expect(delivery.losses).toBe(0);
    expect(delivery.revoked).toBe(false);
  });

  it('delivers a copy: what is changed after publishing does not arrive', async () => {
    const broker = await kit.connect();
    const queue = kit.queue();
    const args = [{ count: 1 }];
    await broker.publish([call({ args })], { queue });
    args[0]!.count = 2;

    const delivery = await (await kit.work(broker, queue)).receiveOne();

    expect(delivery.message.args).toEqual([{ count: 1 }]);
  });

  it('never delivers from within the call that publishes', async () => {
    const broker = await kit.connect();
    const queue = kit.queue();
    const hands = await kit.work(broker, queue);

    const published = broker.publish(calls(1), { queue });
    expect(hands.deliveries).toEqual([]);

    await published;
    await hands.receiveOne();
  });

  it('accepts that there is nothing to publish', async () => {
    const broker = await kit.connect();
    const queue = kit.queue();
    await broker.publish([], { queue });
    await untilDepth(broker, queue, {});
  });

  it('delivers two messages with one id as the two messages they are', async () => {
    const broker = await kit.connect();
    const queue = kit.queue();
    const message = call();
    await broker.publish([message, message], { queue });
    await broker.publish([message], { queue });

    const hands = await kit.work(broker, queue, { concurrency: 10 });
    await hands.receive(3);
    await kit.quiet();

    expect(hands.ids).toEqual([message.id, message.id, message.id]);
  });

  it('delivers in publish order, within a call and between calls', async () => {
    const broker = await kit.connect();
    const queue = kit.queue();
    const messages = calls(1_000);
    await broker.publish(messages.slice(0, 900), { queue });
    for (const message of messages.slice(900)) await broker.publish([message], { queue });

    const hands = await kit.work(broker, queue);
    for (const _ of messages) await (await hands.receiveOne()).settle(done);

    expect(hands.ids).toEqual(idsOf(messages));
  });

  if (kit.features.priority) {
    it('delivers higher priorities first, and equal ones in publish order', async () => {
      const broker = await kit.connect();
      const queue = kit.queue();
      const messages = [0, 9, 5, 9, 0, 1].map((priority) => call({ args: [priority], priority }));
      await broker.publish(messages, { queue });

      const hands = await kit.work(broker, queue);
      for (const _ of messages) await (await hands.receiveOne()).settle(done);

      expect(hands.ids).toEqual(idsOf([1, 3, 2, 5, 0, 4].map((i) => messages[i]!)));
    });
  }

  it('serves several queues in turn', async () => {
    const broker = await kit.connect();
    const [busy, calm] = [kit.queue(), kit.queue()];
    await broker.publish(calls(50, { args: ['busy'] }), { queue: busy });
    await broker.publish(calls(2, { args: ['calm'] }), { queue: calm });

    const hands = await kit.work(broker, [busy, calm]);
    const queues: string[] = [];
    for (let i = 0; i < 6; i++) {
      const delivery = await hands.receiveOne();
      queues.push(delivery.queue);
      await delivery.settle(done);
    }

    expect(queues.filter((queue) => queue === calm)).toHaveLength(2);
  });

  it('never touches a queue that is not served', async () => {
    const broker = await kit.connect();
    const [served, other] = [kit.queue(), kit.queue()];
    const hands = await kit.work(broker, served, { concurrency: 10 });

    await broker.publish(calls(2), { queue: other });
    await broker.publish(calls(1), { queue: served });
    await hands.receiveOne();
    await kit.quiet();

    expect(hands.deliveries).toHaveLength(1);
    await untilDepth(broker, other, { ready: 2 });
  });

  it('shares the messages of a queue between two workers, each message for one of them', async () => {
    const [alice, bob] = [await kit.connect(), await kit.connect()];
    const queue = kit.queue();
    const one = await kit.work(alice, queue, { concurrency: 5 });
    const two = await kit.work(bob, queue, { concurrency: 5 });
    const messages = calls(12);
    await alice.publish(messages, { queue });

    await Promise.all([one.receive(5), two.receive(5)]);
    await kit.quiet();

    expect([one.deliveries.length, two.deliveries.length]).toEqual([5, 5]);
    expect(new Set([...one.ids, ...two.ids])).toEqual(new Set(idsOf(messages.slice(0, 10))));
    await untilDepth(alice, queue, { running: 10, ready: 2 });
  });

  it('delivers what is published while it waits', async () => {
    const [alice, bob] = [await kit.connect(), await kit.connect()];
    const queue = kit.queue();
    const hands = await kit.work(bob, queue);
    await until(() => hands.consumer.idle === 1);

    const message = call();
    await alice.publish([message], { queue });

    expect((await hands.receiveOne()).message.id).toBe(message.id);
  });

  it('delivers a delayed message when its time has come, and lets others pass', async () => {
    const broker = await kit.connect();
    const queue = kit.queue();
    const hands = await kit.work(broker, queue, { concurrency: 10 });
    await broker.publish([call({ args: ['late'] })], { queue, delay: 3_000 });
    await broker.publish([call({ args: ['early'] })], { queue, delay: 1_500 });
    await broker.publish([call({ args: ['now'] })], { queue });

    await hands.receiveOne();
    await untilDepth(broker, queue, { delayed: 2, running: 1 });
    await kit.pass(300);
    expect(hands.deliveries).toHaveLength(1);
    await kit.pass(1_400);
    await hands.receiveOne();
    await kit.pass(1_500);
    await hands.receiveOne();

    expect(hands.deliveries.map(({ message }) => message.args[0])).toEqual(['now', 'early', 'late']);
  });

  it('keeps delayed messages while nobody is there', async () => {
    const [alice, bob] = [await kit.connect(), await kit.connect()];
    const queue = kit.queue();
    const messages = calls(3);
    await alice.publish(messages, { queue, delay: 500 });
    await untilDepth(alice, queue, { delayed: 3 });
    await kit.pass(700);

    const hands = await kit.work(bob, queue, { concurrency: 10 });
    await hands.receive(3);

    expect(hands.ids.sort()).toEqual(idsOf(messages).sort());
  });
}
