import { expect, it } from 'vitest';
import { until } from '../../support/until.js';
import { again, calls, done, type Hands, idsOf, type Kit, parked, resource, untilDepth } from './kit.js';

export function lossSuite(kit: Kit): void {
  const isOver = () => kit.pass(kit.lease * 1.2);

  it('delivers what a dead worker had in hand to another, within a lease, and counts the loss', async () => {
    const [alice, bob] = [await kit.connect(), await kit.connect()];
    const queue = kit.queue();
    const [fetched, kept] = calls(2);
    await kit.park(alice, queue, [kept!]);
    const dead = await kit.work(alice, queue, { concurrency: 2 });
    await dead.taken(resource);
    await alice.publish([fetched!], { queue });
    await dead.receiveOne();
    const hands = await kit.work(bob, queue, { concurrency: 2 });

    await kit.vanish(dead.consumer);
    await kit.pass(kit.lease / 4);
    expect(hands.deliveries).toEqual([]);
    await isOver();

    const received = await hands.receive(2);
    expect(hands.ids.sort()).toEqual(idsOf([fetched!, kept!]).sort());
    for (const delivery of received) expect(delivery).toMatchObject({ losses: 1, room: undefined });
    await untilDepth(bob, queue, { running: 2 });
  });

  it('counts every loss, and carries the count through whatever is done again', async () => {
    const [alice, bob] = [await kit.connect(), await kit.connect()];
    const queue = kit.queue();
    await alice.publish(calls(1), { queue });
    const dead = await kit.work(alice, queue);
    await dead.receiveOne();
    await kit.vanish(dead.consumer);
    await isOver();

    const hands = await kit.work(bob, queue);
    const first = await hands.receiveOne();
    expect(first.losses).toBe(1);
    await first.settle(parked(first.message));
    const second = await hands.taken(resource);
    expect(second.losses).toBe(1);
    await second.settle(again(second.message));
    expect((await hands.receiveOne()).losses).toBe(1);
    await hands.consumer.close();

    const third = await (await kit.work(alice, queue)).receiveOne();
    expect(third.losses).toBe(2);
  });

  it('does nothing for a worker that was declared dead', async () => {
    const [alice, bob] = [await kit.connect(), await kit.connect()];
    const queue = kit.queue();
    await alice.publish(calls(1), { queue });
    const dead = await kit.work(alice, queue);
    const stale = await dead.receiveOne();
    await kit.vanish(dead.consumer);
    await isOver();
    const hands = await kit.work(bob, queue);
    const delivery = await hands.receiveOne();

    // It may not even reach the broker any more.
    const settled = await stale.settle({ kind: 'aside', reason: 'too late' }).catch(() => false);

    expect(settled).toBe(false);
    await untilDepth(bob, queue, { running: 1 });
    expect(await delivery.settle(done)).toBe(true);
    await untilDepth(bob, queue, {});
  });

  it('hands a dead worker nothing more', async () => {
    const [alice, bob] = [await kit.connect(), await kit.connect()];
    const queue = kit.queue();
    const dead = await kit.work(alice, queue, { concurrency: 5 });
    await until(() => dead.consumer.idle === 5);
    await kit.vanish(dead.consumer);
    await isOver();

    await bob.publish(calls(5), { queue });
    const hands = await kit.work(bob, queue, { concurrency: 5 });
    await hands.receive(5);

    expect(dead.deliveries).toEqual([]);
  });

  it('keeps what is parked or delayed when the last worker dies', async () => {
    const [alice, bob] = [await kit.connect(), await kit.connect()];
    const queue = kit.queue();
    const [first, second] = calls(2);
    const dead = await kit.work(alice, queue, { concurrency: 2 });
    await alice.publish([first!, second!], { queue });
    const [one, two] = await dead.receiveEach([first!, second!]);
    await one!.settle(parked(first!));
    await two!.settle(again(second!, kit.lease * 2));
    await kit.vanish(dead.consumer);
    await isOver();
    await untilDepth(bob, queue, { parked: 1, delayed: 1 });

    const hands = await kit.work(bob, queue, { concurrency: 2 });
    const taken = await hands.taken(resource);
    await kit.pass(kit.lease * 2);
    const delivered = await hands.receiveOne();

    expect([taken, delivered].map((d) => [d.message.id, d.losses])).toEqual([
      [first!.id, 0],
      [second!.id, 0],
    ]);
  });

  it('never delivers again what a live worker runs, however long', async () => {
    const [alice, bob] = [await kit.connect(), await kit.connect()];
    const queue = kit.queue();
    await kit.park(alice, queue, calls(1));
    const one = await kit.work(alice, queue, { concurrency: 2 });
    const taken = await one.taken(resource);
    await alice.publish(calls(1), { queue });
    const fetched = await one.receiveOne();
    const two = await kit.work(bob, queue, { concurrency: 2 });

    for (let i = 0; i < 8; i++) await kit.pass(kit.lease / 2);

    expect(two.deliveries).toEqual([]);
    expect(await fetched.settle(done)).toBe(true);
    expect(await taken.settle(done)).toBe(true);
    await untilDepth(bob, queue, {});
  });

  it('takes nothing for a worker that was declared dead', async () => {
    const [alice, bob] = [await kit.connect(), await kit.connect()];
    const queue = kit.queue();
    await kit.park(bob, queue, calls(1));
    await alice.publish(calls(1), { queue });
    const dead = await kit.work(alice, queue);
    const delivery = await dead.receiveOne();
    await kit.vanish(dead.consumer);
    await isOver();
    // A broker need not find out before there is somebody to find it out for.
    await (await kit.work(bob, queue)).receiveOne();

    expect(await takeOrNothing(dead, delivery)).not.toBe('taken');

    await untilDepth(bob, queue, { running: 1, parked: 1 });
  });
}

type Delivered = Awaited<ReturnType<Hands['receiveOne']>>;

async function takeOrNothing(hands: Hands, delivery: Delivered): Promise<string> {
  return hands.handOff(delivery, resource).then(
    ({ kind }) => kind,
    () => 'refused',
  );
}
