import { expect, it } from 'vitest';
import type { Aside, Broker } from '../../../src/brokers/broker.js';
import { encode } from '../../../src/message.js';
import { until } from '../../support/until.js';
import { again, call, calls, done, idsOf, type Kit, parked, resource, untilDepth } from './kit.js';

export function operatorSuite(kit: Kit): void {
  /** Messages set aside by a worker, which is gone then. */
  const setApart = async (broker: Broker, queue: string, messages: ReturnType<typeof calls>) => {
    await broker.publish(messages, { queue });
    const hands = await kit.work(broker, queue);
    for (const { id } of messages) {
      expect(await (await hands.receiveOne()).settle({ kind: 'aside', reason: `poison ${id}` })).toBe(true);
    }
    await hands.consumer.close();
  };

  it('tells how many messages are where', async () => {
    const [alice, bob] = [await kit.connect(), await kit.connect()];
    const queue = kit.queue();
    await untilDepth(bob, queue, {});
    await alice.publish(calls(15), { queue });
    const hands = await kit.work(alice, queue, { concurrency: 15 });
    const received = await hands.receive(15);
    await hands.consumer.stop();
    await untilDepth(bob, queue, { running: 15 });

    const outcomes = [
      done,
      { kind: 'aside', reason: 'poison' } as const,
      { kind: 'aside', reason: 'poison' } as const,
      ...received.slice(3, 6).map(({ message }) => parked(message)),
      ...received.slice(6, 10).map(({ message }) => again(message, 60_000)),
    ];
    for (const [i, outcome] of outcomes.entries()) await received[i]!.settle(outcome);
    await alice.publish(calls(6), { queue });

    await untilDepth(bob, queue, { ready: 6, delayed: 4, parked: 3, running: 5, apart: 2 });
  });

  it('lists what was set aside, oldest first, with its reason', async () => {
    const [alice, bob] = [await kit.connect(), await kit.connect()];
    const queue = kit.queue();
    const messages = calls(3, { args: [{ deep: ['ä', null] }], retries: 2 });
    const before = kit.wall();
    await setApart(alice, queue, messages);

    const asides = await bob.aside(queue);

    expect(asides.map(({ message }) => message)).toEqual(messages);
    expect(asides.map(({ reason }) => reason)).toEqual(idsOf(messages).map((id) => `poison ${id}`));
    expect(new Set(idsOf(asides)).size).toBe(3);
    for (const { at, text } of asides) {
      expect(Math.abs(at - before)).toBeLessThan(60_000);
      expect(text).not.toBe('');
    }
    await untilDepth(bob, queue, { apart: 3 });
    expect(await bob.aside(kit.queue())).toEqual([]);
  });

  it('replays what was set aside as new', async () => {
    const [alice, bob] = [await kit.connect(), await kit.connect()];
    const queue = kit.queue();
    const messages = calls(2);
    await setApart(alice, queue, messages.slice(0, 1));
    const poisoned = await kit.work(alice, queue);
    await alice.publish(messages.slice(1), { queue });
    await poisoned.receiveOne();
    await poisoned.consumer.close();
    const survivor = await kit.work(alice, queue);
    const lost = await survivor.receiveOne();
    expect(lost.losses).toBe(1);
    await lost.settle({ kind: 'aside', reason: 'poison' });
    await survivor.consumer.close();
    const [first, second] = (await bob.aside(queue)) as [Aside, Aside];

    expect(await bob.replay(queue, second.id)).toBe(true);

    const hands = await kit.work(alice, queue);
    const delivery = await hands.receiveOne();
    expect(delivery).toMatchObject({ message: messages[1], losses: 0 });
    await untilDepth(bob, queue, { apart: 1, running: 1 });
    expect(idsOf(await bob.aside(queue))).toEqual([first.id]);
    expect(await bob.replay(queue, second.id)).toBe(false);
  });

  it('discards what was set aside', async () => {
    const broker = await kit.connect();
    const queue = kit.queue();
    await setApart(broker, queue, calls(2));
    const [first, second] = (await broker.aside(queue)) as [Aside, Aside];

    expect(await broker.discard(queue, first.id)).toBe(true);

    expect(await broker.discard(queue, first.id)).toBe(false);
    expect(await broker.replay(queue, first.id)).toBe(false);
    expect(idsOf(await broker.aside(queue))).toEqual([second.id]);
    await untilDepth(broker, queue, { apart: 1 });
  });

  it('knows nothing apart in a queue that never had anything', async () => {
    const broker = await kit.connect();
    const queue = kit.queue();
    expect(await broker.replay(queue, '1')).toBe(false);
    expect(await broker.discard(queue, '1')).toBe(false);
  });

  it('lets one only of two operators replay', async () => {
    const [alice, bob] = [await kit.connect(), await kit.connect()];
    const queue = kit.queue();
    await setApart(alice, queue, calls(1));
    const [aside] = await alice.aside(queue);

    const answers = await Promise.all([alice, bob].map((broker) => broker.replay(queue, aside!.id)));

    expect(answers.sort()).toEqual([false, true]);
    await untilDepth(alice, queue, { ready: 1 });
  });

  it('purges all but what is in hand and what is set aside', async () => {
    const [alice, bob] = [await kit.connect(), await kit.connect()];
    const [queue, other] = [kit.queue(), kit.queue()];
    await setApart(alice, queue, calls(1));
    await kit.park(alice, queue, calls(2));
    await kit.park(alice, queue, calls(1), { resource: 'scanner', deadline: kit.wall() + 60_000 });
    await alice.publish(calls(3), { queue, delay: 60_000 });
    const hands = await kit.work(alice, queue, { concurrency: 2 });
    await alice.publish(calls(7), { queue });
    await alice.publish(calls(1), { queue: other });
    const [first] = await hands.receive(2);

    expect(await bob.purge(queue)).toBe(11);

    await untilDepth(bob, queue, { running: 2, apart: 1 });
    await untilDepth(bob, other, { ready: 1 });
    expect(await hands.consumer.rooms()).toEqual([]);
    expect(await bob.purge(queue)).toBe(0);
    expect(await first!.settle(again(first!.message))).toBe(true);
    await hands.receiveOne();
  });

  it('sets text apart that is no message, and delivers the others', async () => {
    const broker = await kit.connect();
    const queue = kit.queue();
    const texts = [
      '',
      'no JSON {',
      '[1]',
      'null',
      '{"v":1}',
      '{"v":99,"id":"a","task":"t","args":[]}',
      '{}',
      '😀\n*',
    ];
    const good = calls(4);
    for (const text of texts.slice(0, 4)) await kit.inject(queue, text);
    await broker.publish(good.slice(0, 2), { queue });
    for (const text of texts.slice(4)) await kit.inject(queue, text);
    await broker.publish(good.slice(2), { queue });

    const hands = await kit.work(broker, queue);
    for (const _ of good) await (await hands.receiveOne()).settle(done);
    await untilDepth(broker, queue, { apart: texts.length });

    expect(hands.ids).toEqual(idsOf(good));
    const asides = await broker.aside(queue);
    expect(asides.map(({ text }) => text).sort()).toEqual([...texts].sort());
    for (const aside of asides) {
      expect(aside.message).toBeUndefined();
      expect(aside.reason).not.toBe('');
    }
  });

  it('takes no slot for text that is no message', async () => {
    const broker = await kit.connect();
    const queue = kit.queue();
    const hands = await kit.work(broker, queue);
    for (let i = 0; i < 5; i++) await kit.inject(queue, 'not a message');

    await untilDepth(broker, queue, { apart: 5 });

    await until(() => hands.consumer.idle === 1);
  });

  it('replays text that is no message as it is', async () => {
    const broker = await kit.connect();
    const queue = kit.queue();
    await kit.inject(queue, 'not a message');
    await kit.work(broker, queue);
    await untilDepth(broker, queue, { apart: 1 });
    const [aside] = await broker.aside(queue);

    expect(await broker.replay(queue, aside!.id)).toBe(true);

    await untilDepth(broker, queue, { apart: 1 });
    expect((await broker.aside(queue))[0]).toMatchObject({ text: 'not a message', reason: aside!.reason });
  });

  it('delivers text that is a message, whoever put it there', async () => {
    const broker = await kit.connect();
    const queue = kit.queue();
    const message = call({ args: ['from elsewhere'] });
    await kit.inject(queue, encode(message));

    const hands = await kit.work(broker, queue);
    const delivery = await hands.receiveOne();

    expect(delivery.message).toEqual(message);
    await delivery.settle(parked(message));
    expect((await hands.taken(resource)).message).toEqual(message);
  });
}
