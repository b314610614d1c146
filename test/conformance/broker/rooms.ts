import { expect, it } from 'vitest';
import type { Room } from '../../../src/brokers/broker.js';
import { until } from '../../support/until.js';
import { calls, type Kit, parked, resource, untilDepth } from './kit.js';

export function roomSuite(kit: Kit): void {
  it('lists the rooms of the queues served that are not empty', async () => {
    const [alice, bob] = [await kit.connect(), await kit.connect()];
    const [first, second, other] = [kit.queue(), kit.queue(), kit.queue()];
    await kit.park(alice, first, calls(2), { weight: 2, capacity: 3, countdown: 5_000 });
    await kit.park(alice, first, calls(1), { resource: 'scanner' });
    await kit.park(alice, second, calls(1));
    await kit.park(alice, other, calls(1));

    const hands = await kit.work(bob, [first, second]);
    const rooms = await hands.consumer.rooms();

    expect(sorted(rooms)).toEqual(
      sorted([
        { queue: first, resource, weight: 2, capacity: 3, countdown: 5_000 },
        { queue: first, resource: 'scanner', weight: 1, capacity: 1, countdown: 60_000 },
        { queue: second, resource, weight: 1, capacity: 1, countdown: 60_000 },
      ]),
    );
  });

  it('shows the weight of the message that comes first', async () => {
    const broker = await kit.connect();
    const queue = kit.queue();
    const [first, second] = calls(2);
    await kit.park(broker, queue, [first!], { weight: 3, capacity: 5 });
    await kit.park(broker, queue, [second!], { weight: 2, capacity: 5 });
    const hands = await kit.work(broker, queue, { concurrency: 2 });
    expect((await hands.consumer.rooms())[0]?.weight).toBe(3);

    await hands.taken(resource, 3);

    expect((await hands.consumer.rooms())[0]?.weight).toBe(2);
  });

  it('forgets a room that is empty', async () => {
    const broker = await kit.connect();
    const queue = kit.queue();
    await kit.park(broker, queue, calls(1));
    const hands = await kit.work(broker, queue);

    await hands.taken(resource);

    expect(await hands.consumer.rooms()).toEqual([]);
    expect(await hands.consumer.orphans()).toEqual([]);
  });

  it('keeps rooms of one resource in two queues apart', async () => {
    const broker = await kit.connect();
    const [first, second] = [kit.queue(), kit.queue()];
    await kit.park(broker, first, calls(1, { args: ['first'] }));
    await kit.park(broker, second, calls(1, { args: ['second'] }));

    const hands = await kit.work(broker, second, { concurrency: 2 });

    expect((await hands.taken(resource)).message.args).toEqual(['second']);
    expect(await hands.take(resource)).toEqual({ kind: 'empty' });
    await untilDepth(broker, first, { parked: 1 });
  });

  it('tells every worker that serves the queue when a room becomes non-empty, each time it does', async () => {
    const [alice, bob] = [await kit.connect(), await kit.connect()];
    const [queue, other, third] = [kit.queue(), kit.queue(), kit.queue()];
    const one = await kit.work(alice, queue);
    const two = await kit.work(bob, [other, queue]);
    const stranger = await kit.work(bob, third);
    await alice.publish(calls(1), { queue: other });
    await two.receiveOne();
    await alice.publish(calls(1), { queue });
    let delivery = await one.receiveOne();

    for (const capacity of [4, 5]) {
      await delivery.settle(parked(delivery.message, { weight: 2, capacity }));
      const room = { queue, resource, weight: 2, capacity, countdown: 60_000 };
      for (const hands of [one, two]) {
        await until(() => hands.rooms.length > 0);
        expect(hands.rooms.splice(0).at(-1)).toEqual(room);
      }
      delivery = await one.taken(resource, 2);
    }

    await kit.quiet();
    expect(stranger.rooms).toEqual([]);
  });
}

function sorted(rooms: readonly Room[]): Room[] {
  const key = (room: Room) => `${room.queue}\n${room.resource}`;
  return [...rooms].sort((a, b) => (key(a) < key(b) ? -1 : 1));
}
