import { expect, it } from 'vitest';
import { until } from '../../support/until.js';
import { again, calls, done, type Kit, parked, resource, untilDepth } from './kit.js';

export function revocationSuite(kit: Kit): void {
  it('tells the worker that may have the message in hand', async () => {
    const [alice, bob] = [await kit.connect(), await kit.connect()];
    const queue = kit.queue();
    const [message] = calls(1);
    const hands = await kit.work(bob, queue);
    await alice.publish([message!], { queue });
    const delivery = await hands.receiveOne();

    await alice.revoke(message!.id);

    await until(() => hands.revoked.includes(message!.id));
    expect(delivery.revoked).toBe(false);
    expect(await delivery.settle(done)).toBe(true);
  });

  it('accepts an id that nobody knows', async () => {
    const broker = await kit.connect();
    await broker.revoke('nobody knows this one');
  });

  if (!kit.features.revocation) return;

  it('delivers a revoked message marked as such, and no other so', async () => {
    const [alice, bob] = [await kit.connect(), await kit.connect()];
    const queue = kit.queue();
    const messages = calls(3);
    await alice.publish(messages, { queue });

    await bob.revoke(messages[1]!.id);
    const hands = await kit.work(alice, queue, { concurrency: 3 });
    const received = await hands.receiveEach(messages);

    expect(received.map(({ revoked }) => revoked)).toEqual([false, true, false]);
  });

  it('delivers a delayed message at once that is revoked', async () => {
    const [alice, bob] = [await kit.connect(), await kit.connect()];
    const queue = kit.queue();
    const messages = calls(3);
    await alice.publish(messages, { queue, delay: 3_600_000 });
    const hands = await kit.work(alice, queue, { concurrency: 3 });

    await bob.revoke(messages[1]!.id);

    const delivery = await hands.receiveOne();
    expect(delivery.message.id).toBe(messages[1]!.id);
    expect(delivery.revoked).toBe(true);
    await delivery.settle(done);
    await untilDepth(bob, queue, { delayed: 2 });
  });

  it('delivers a parked message at once that is revoked, and not as one taken from its room', async () => {
    const [alice, bob] = [await kit.connect(), await kit.connect()];
    const queue = kit.queue();
    const messages = calls(3);
    await kit.park(alice, queue, messages);
    const hands = await kit.work(alice, queue, { concurrency: 3 });

    await bob.revoke(messages[0]!.id);

    const delivery = await hands.receiveOne();
    expect(delivery).toMatchObject({ message: messages[0], revoked: true, room: undefined });
    await delivery.settle(done);
    expect((await hands.taken(resource)).message.id).toBe(messages[1]!.id);
    await untilDepth(bob, queue, { parked: 1, running: 1 });
  });

  it('does not deliver a second time what is taken and running', async () => {
    const broker = await kit.connect();
    const queue = kit.queue();
    const [message] = calls(1);
    await kit.park(broker, queue, [message!]);
    const hands = await kit.work(broker, queue, { concurrency: 3 });
    const delivery = await hands.taken(resource);

    await broker.revoke(message!.id);
    await until(() => hands.revoked.includes(message!.id));
    await kit.quiet();

    expect(hands.deliveries).toEqual([]);
    expect(await delivery.settle(done)).toBe(true);
    await untilDepth(broker, queue, {});
  });

  it('leaves no room behind when its last message is revoked', async () => {
    const broker = await kit.connect();
    const queue = kit.queue();
    const [message] = calls(1);
    await kit.park(broker, queue, [message!]);
    const hands = await kit.work(broker, queue);

    await broker.revoke(message!.id);
    await hands.receiveOne();

    expect(await hands.consumer.rooms()).toEqual([]);
  });

  it('lets nothing wait again that was revoked while it ran', async () => {
    const broker = await kit.connect();
    const queue = kit.queue();
    const messages = calls(2);
    await broker.publish(messages, { queue });
    const hands = await kit.work(broker, queue, { concurrency: 2 });
    const [first, second] = await hands.receive(2);
    for (const { id } of messages) await broker.revoke(id);

    await first!.settle(again(first!.message, 3_600_000));
    await second!.settle(parked(second!.message));

    for (const delivery of await hands.receive(2)) {
      expect(delivery.revoked).toBe(true);
      await delivery.settle(done);
    }
    await untilDepth(broker, queue, {});
  });

  it('remembers what was revoked when its worker dies', async () => {
    const [alice, bob] = [await kit.connect(), await kit.connect()];
    const queue = kit.queue();
    const [message] = calls(1);
    const dead = await kit.work(alice, queue);
    await alice.publish([message!], { queue });
    await dead.receiveOne();
    await bob.revoke(message!.id);
    await kit.vanish(dead.consumer);
    await kit.pass(kit.lease * 1.2);

    const delivery = await (await kit.work(bob, queue)).receiveOne();

    expect(delivery).toMatchObject({ revoked: true, losses: 1 });
  });
}
