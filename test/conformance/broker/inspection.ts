import { expect, it } from 'vitest';
import { ConfigError } from '../../../src/errors.js';
import { again, call, calls, done, type Kit, parked, resource, untilDepth } from './kit.js';

/** What is seen from outside: of a queue by somebody who consumes nothing, and of a consumer by its worker. */
export function inspectionSuite(kit: Kit): void {
  it('hears of its broker while it waits for messages, and misses nothing while it has no slot', async () => {
    const broker = await kit.connect();
    const queue = kit.queue();
    const hands = await kit.work(broker, queue);
    await kit.pass(1_000);
    expect(hands.consumer.silence).toBeLessThan(6_000);

    await broker.publish(calls(2), { queue });
    const delivery = await hands.receiveOne();
    await kit.pass(1_000);
    expect(hands.consumer.silence).toBe(0);
    await delivery.settle(done);
    await hands.receiveOne();
    expect(hands.consumer.silence).toBe(0);
  });

  if (kit.features.inspection) seen(kit);
  else unseen(kit);
}

function unseen(kit: Kit): void {
  it('is refused, and not answered wrongly', async () => {
    const broker = await kit.connect();
    const queue = kit.queue();
    await expect(broker.rooms(queue)).rejects.toBeInstanceOf(ConfigError);
    await expect(broker.locate('x', [queue])).rejects.toBeInstanceOf(ConfigError);
  });
}

function seen(kit: Kit): void {
  it('tells its worker which resources have no message in any room of the queues it serves', async () => {
    const broker = await kit.connect();
    const [queue, other, strange] = [kit.queue(), kit.queue(), kit.queue()];
    await kit.park(broker, queue, calls(1), { resource: 'a' });
    await kit.park(broker, other, calls(1), { resource: 'b' });
    await kit.park(broker, strange, calls(1), { resource: 'c' });
    const hands = await kit.work(broker, [queue, other]);
    const { consumer } = hands;

    expect(await consumer.vacant?.(['a', 'b', 'c', 'd'])).toEqual(['c', 'd']);
    await hands.taken('a');
    expect(await consumer.vacant?.(['a', 'b'])).toEqual(['a']);
    expect(await consumer.vacant?.([])).toEqual([]);
  });

  it('shows the rooms that are not empty, with how many wait and since when', async () => {
    const [alice, bob] = [await kit.connect(), await kit.connect()];
    const [queue, other] = [kit.queue(), kit.queue()];
    expect(await bob.rooms(queue)).toEqual([]);
    const messages = [call({ sentAt: 1_000, deferredAt: 5_000 }), call({ sentAt: 3_000, priority: 9 })];
    await kit.park(alice, queue, messages);
    await kit.park(alice, queue, [call({ sentAt: 2_000 })], { resource: 'scanner', weight: 3 });
    await kit.park(alice, other, calls(1));

    const rooms = [...(await bob.rooms(queue))].sort((a, b) => a.parked - b.parked);

    expect(rooms).toEqual([
      { queue, resource: 'scanner', parked: 1, since: 2_000 },
      { queue, resource, parked: 2, since: 5_000 },
    ]);

    const hands = await kit.work(alice, queue);
    await (await hands.taken('scanner', 3)).settle(done);
    expect((await bob.rooms(queue)).map((room) => room.resource)).toEqual([resource]);
  });

  it('finds a message wherever it is, with what it says now', async () => {
    const [alice, bob] = [await kit.connect(), await kit.connect()];
    const queue = kit.queue();
    const message = call({ args: [{ deep: ['ä', null] }] });
    const find = () => bob.locate(message.id, [queue]);
    expect(await find()).toBeUndefined();

    await alice.publish([message], { queue });
    expect(await find()).toEqual({ queue, message, where: 'ready', ahead: 0 });

    const hands = await kit.work(alice, queue);
    const first = await hands.receiveOne();
    expect(await find()).toEqual({ queue, message, where: 'running' });

    const deferred = { ...message, deferrals: 1, deferredAt: kit.wall() };
    await first.settle(parked(deferred));
    expect(await find()).toEqual({ queue, message: deferred, where: 'parked', resource, ahead: 0 });

    const taken = await hands.taken(resource);
    expect(await find()).toEqual({ queue, message: deferred, where: 'running' });

    const before = kit.wall();
    await taken.settle(again({ ...message, retries: 1 }, 60_000));
    const delayed = await find();
    expect(delayed).toMatchObject({ queue, message: { ...message, retries: 1 }, where: 'delayed' });
    const { until } = delayed as Extract<typeof delayed, { where: 'delayed' }>;
    expect(Math.abs(until - before - 60_000)).toBeLessThan(30_000);

    await bob.revoke(message.id);
    await (await hands.receiveOne()).settle({ kind: 'aside', reason: 'poison' });
    const [aside] = await bob.aside(queue);
    expect(await find()).toEqual({ queue, message: { ...message, retries: 1 }, where: 'apart', aside });

    await bob.discard(queue, aside!.id);
    expect(await find()).toBeUndefined();
  });

  it('knows no message that has ended', async () => {
    const broker = await kit.connect();
    const queue = kit.queue();
    const message = call();
    await broker.publish([message], { queue });
    const hands = await kit.work(broker, queue);
    await (await hands.receiveOne()).settle(done);
    expect(await broker.locate(message.id, [queue])).toBeUndefined();
  });

  it('counts what comes before a message in its queue', async () => {
    const [alice, bob] = [await kit.connect(), await kit.connect()];
    const queue = kit.queue();
    const messages = calls(20);
    await alice.publish(messages, { queue });
    const ahead = async (id: string) => (await bob.locate(id, [queue])) as { ahead?: number };

    expect(await ahead(messages[0]!.id)).toMatchObject({ where: 'ready', ahead: 0 });
    expect(await ahead(messages[19]!.id)).toMatchObject({ where: 'ready', ahead: 19 });
    if (!kit.features.priority) return;
    const urgent = call({ priority: 9 });
    await alice.publish([urgent], { queue });
    expect(await ahead(urgent.id)).toMatchObject({ where: 'ready', ahead: 0 });
    expect(await ahead(messages[19]!.id)).toMatchObject({ where: 'ready', ahead: 20 });
  });

  it('counts what comes before a message in its room', async () => {
    const [alice, bob] = [await kit.connect(), await kit.connect()];
    const queue = kit.queue();
    const messages = calls(5);
    await kit.park(alice, queue, messages);
    await kit.park(alice, queue, calls(3), { resource: 'scanner' });

    for (const [i, { id }] of messages.entries()) {
      expect(await bob.locate(id, [queue])).toMatchObject({ where: 'parked', resource, ahead: i });
    }
  });

  it('looks into the queues it is asked about, and into no other', async () => {
    const [alice, bob] = [await kit.connect(), await kit.connect()];
    const [queue, other] = [kit.queue(), kit.queue()];
    const message = call();
    await alice.publish([message], { queue });
    await untilDepth(bob, queue, { ready: 1 });

    expect(await bob.locate(message.id, [other])).toBeUndefined();
    expect(await bob.locate(message.id, [])).toBeUndefined();
    expect(await bob.locate(message.id, [other, queue])).toMatchObject({ queue, where: 'ready' });
  });

  it('finds the one of several under an id that is furthest on its way', async () => {
    const [alice, bob] = [await kit.connect(), await kit.connect()];
    const [queue, other] = [kit.queue(), kit.queue()];
    const message = call();
    const find = () => bob.locate(message.id, [queue, other]);
    await alice.publish([message], { queue });
    const hands = await kit.work(alice, queue);
    await (await hands.receiveOne()).settle({ kind: 'aside', reason: 'poison' });
    expect(await find()).toMatchObject({ where: 'apart' });

    await alice.publish([message], { queue: other });
    expect(await find()).toMatchObject({ queue: other, where: 'ready' });

    await alice.publish([message], { queue });
    await hands.receiveOne();
    expect(await find()).toMatchObject({ queue, where: 'running' });
  });

  it('takes nothing, and stops nobody', async () => {
    const [alice, bob] = [await kit.connect(), await kit.connect()];
    const queue = kit.queue();
    const [waiting, ready] = [call(), call()];
    await kit.park(alice, queue, [waiting], { countdown: 60_000 });
    await alice.publish([ready], { queue });

    await bob.locate(waiting.id, [queue]);
    await bob.rooms(queue);

    await untilDepth(bob, queue, { ready: 1, parked: 1 });
    const hands = await kit.work(alice, queue, { concurrency: 2 });
    expect((await hands.receiveOne()).message.id).toBe(ready.id);
    expect((await hands.taken(resource)).message.id).toBe(waiting.id);
  });
}
