import { expect, it } from 'vitest';
import { ClosedError } from '../../../src/errors.js';
import { until } from '../../support/until.js';
import { again, calls, done, type Kit, resource, untilDepth } from './kit.js';

export function closingSuite(kit: Kit): void {
  it('fetches nothing more once it is stopped, and settles what is in hand', async () => {
    const broker = await kit.connect();
    const queue = kit.queue();
    await broker.publish(calls(10), { queue });
    const hands = await kit.work(broker, queue, { concurrency: 3 });
    const received = await hands.receive(3);

    await hands.consumer.stop();
    for (const delivery of received) expect(await delivery.settle(done)).toBe(true);
    await kit.quiet();

    expect(hands.deliveries).toHaveLength(3);
    await untilDepth(broker, queue, { ready: 7 });
  });

  it('gives back what a stopped worker had not handed over, without a loss', async () => {
    const [alice, bob] = [await kit.connect(), await kit.connect()];
    const queue = kit.queue();
    const stopped = await kit.work(alice, queue, { concurrency: 2 });
    await alice.publish(calls(30), { queue });
    await stopped.receiveOne();
    await stopped.consumer.stop();

    const hands = await kit.work(bob, queue, { concurrency: 30 });
    await until(() => stopped.deliveries.length + hands.deliveries.length === 30);

    expect(hands.deliveries.every(({ losses }) => losses === 0)).toBe(true);
  });

  it('calls no slot of a stopped worker idle', async () => {
    const broker = await kit.connect();
    const queue = kit.queue();
    const hands = await kit.work(broker, queue);
    await until(() => hands.consumer.idle === 1);
    await hands.consumer.stop();

    expect(hands.consumer.idle).toBe(0);
  });

  it('gives the deliveries of a worker that leaves to others at once, as losses', async () => {
    const [alice, bob] = [await kit.connect(), await kit.connect()];
    const queue = kit.queue();
    const [fetched, kept] = calls(2);
    await kit.park(alice, queue, [kept!]);
    const leaver = await kit.work(alice, queue, { concurrency: 3 });
    const taken = await leaver.taken(resource);
    const published = [fetched!, ...calls(1)];
    await alice.publish(published, { queue });
    const [first, second] = await leaver.receiveEach(published);
    await second!.settle(done);

    await leaver.consumer.close();
    const hands = await kit.work(bob, queue, { concurrency: 3 });

    const received = await hands.receive(2);
    expect(hands.ids.sort()).toEqual([fetched!.id, kept!.id].sort());
    for (const delivery of received) expect(delivery.losses).toBe(1);
    expect(await first!.settle(done)).toBe(false);
    expect(await taken.settle(again(taken.message))).toBe(false);
    await kit.quiet();
    await untilDepth(bob, queue, { running: 2 });
  });

  it('stops and closes as often as it is told', async () => {
    const broker = await kit.connect();
    const hands = await kit.work(broker, kit.queue());
    await Promise.all([hands.consumer.stop(), hands.consumer.stop()]);
    await Promise.all([hands.consumer.close(), hands.consumer.close()]);
    await hands.consumer.stop();
    await hands.consumer.close();
    await Promise.all([broker.close(), broker.close()]);
    await broker.close();
  });

  it('goes on for others when one worker leaves', async () => {
    const broker = await kit.connect();
    const queue = kit.queue();
    const [one, two] = [await kit.work(broker, queue), await kit.work(broker, queue)];
    await one.consumer.close();
    await broker.publish(calls(3), { queue });

    for (let i = 0; i < 3; i++) await (await two.receiveOne()).settle(done);

    expect(one.deliveries).toEqual([]);
  });

  it('refuses every call after it was closed', async () => {
    const broker = await kit.connect();
    const queue = kit.queue();
    const options = { concurrency: 1, lease: kit.lease, onDelivery: () => {} };
    await broker.close();

    const refused = [
      () => broker.publish(calls(1), { queue }),
      () => broker.consume([queue], options),
      () => broker.depth(queue),
      () => broker.purge(queue),
      () => broker.revoke('id'),
      () => broker.aside(queue),
      () => broker.replay(queue, '1'),
      () => broker.discard(queue, '1'),
    ];
    for (const call of refused) await expect(call()).rejects.toThrow(ClosedError);
  });
}
