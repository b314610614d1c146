import { expect, it } from 'vitest';
import type { Outcome } from '../../../src/brokers/broker.js';
import { until } from '../../support/until.js';
import { again, call, calls, done, type Kit, parked, resource, untilDepth } from './kit.js';

export function outcomeSuite(kit: Kit): void {
  it('keeps a message until its delivery is settled', async () => {
    const broker = await kit.connect();
    const queue = kit.queue();
    await broker.publish(calls(1), { queue });
    const delivery = await (await kit.work(broker, queue)).receiveOne();
    await untilDepth(broker, queue, { running: 1 });

    expect(await delivery.settle(done)).toBe(true);

    await untilDepth(broker, queue, {});
  });

  for (const outcome of [{ kind: 'done' }, { kind: 'failed' }, { kind: 'skipped' }] as Outcome[]) {
    it(`drops a message that is ${outcome.kind}`, async () => {
      const broker = await kit.connect();
      const queue = kit.queue();
      await broker.publish(calls(1), { queue });
      const hands = await kit.work(broker, queue);

      expect(await (await hands.receiveOne()).settle(outcome)).toBe(true);
      await untilDepth(broker, queue, {});
      await kit.quiet();

      expect(hands.deliveries).toHaveLength(1);
    });
  }

  it('ends a delivery once', async () => {
    const broker = await kit.connect();
    const queue = kit.queue();
    await broker.publish(calls(1), { queue });
    const delivery = await (await kit.work(broker, queue)).receiveOne();

    const settled = await Promise.all([delivery.settle(done), delivery.settle(again(delivery.message))]);

    expect(settled.sort()).toEqual([false, true]);
    expect(await delivery.settle({ kind: 'aside', reason: 'late' })).toBe(false);
    await kit.quiet();
    expect((await broker.depth(queue)).apart).toBe(0);
  });

  it('delivers the changed message again at once', async () => {
    const broker = await kit.connect();
    const queue = kit.queue();
    const message = call({ args: ['first'] });
    await broker.publish([message], { queue });
    const hands = await kit.work(broker, queue);

    const changed = { ...message, args: ['second'], retries: 1, booking: 'b' };
    await (await hands.receiveOne()).settle(again(changed));

    const second = await hands.receiveOne();
    expect(second.message).toEqual(changed);
    expect(second.losses).toBe(0);
    await second.settle(done);
    await kit.quiet();
    expect(hands.deliveries).toHaveLength(2);
    await untilDepth(broker, queue, {});
  });

  it('delivers the changed message again after its delay, and frees the slot meanwhile', async () => {
    const broker = await kit.connect();
    const queue = kit.queue();
    await broker.publish([call({ args: ['a'] })], { queue });
    const hands = await kit.work(broker, queue);
    const first = await hands.receiveOne();

    await first.settle(again({ ...first.message, args: ['a2'] }, 1_000));
    await untilDepth(broker, queue, { delayed: 1 });
    await broker.publish([call({ args: ['b'] })], { queue });
    await (await hands.receiveOne()).settle(done);
    await kit.pass(300);
    expect(hands.deliveries).toHaveLength(2);
    await kit.pass(1_000);
    const last = await hands.receiveOne();

    expect(last.message.args).toEqual(['a2']);
  });

  it('parks the changed message, and nothing brings it back to the queue by itself', async () => {
    const broker = await kit.connect();
    const queue = kit.queue();
    await broker.publish(calls(1), { queue });
    const hands = await kit.work(broker, queue);
    const first = await hands.receiveOne();

    const changed = { ...first.message, deferrals: 1 };
    await first.settle(parked(changed, { countdown: 300 }));
    await untilDepth(broker, queue, { parked: 1 });
    await kit.pass(1_000);
    expect(hands.deliveries).toHaveLength(1);

    expect((await hands.taken(resource)).message).toEqual(changed);
  });

  it(`leaves ${kit.features.atomicAgain ? 'exactly' : 'at least'} one copy of what is to be done again`, async () => {
    const broker = await kit.connect();
    const queue = kit.queue();
    const messages = calls(60);
    await broker.publish(messages, { queue });
    const hands = await kit.work(broker, queue, { concurrency: 60 });

    const outcomes = [again, parked, (message: (typeof messages)[0]) => again(message, 60_000)];
    const received = await hands.receive(60);
    await Promise.all(received.map((delivery, i) => delivery.settle(outcomes[i % 3]!(delivery.message))));
    await hands.receive(20);

    const whole = async () => {
      const { ready, delayed, parked, running } = await broker.depth(queue);
      return ready + delayed + parked + running;
    };
    if (kit.features.atomicAgain) {
      await untilDepth(broker, queue, { running: 20, parked: 20, delayed: 20 });
    } else {
      await until(async () => (await whole()) >= 60);
    }
  });

  if (kit.features.priority) {
    it('counts the priority of the changed message', async () => {
      const broker = await kit.connect();
      const queue = kit.queue();
      await broker.publish([call({ args: ['changed'], priority: 5 })], { queue });
      const hands = await kit.work(broker, queue);
      const first = await hands.receiveOne();
      await broker.publish([call({ args: ['other'], priority: 3 })], { queue });

      await first.settle(again({ ...first.message, priority: 1 }));
      const other = await hands.receiveOne();
      expect(other.message.args).toEqual(['other']);
      await other.settle(done);
      const changed = await hands.receiveOne();
      await broker.publish([call({ args: ['third'], priority: 6 })], { queue });
      await changed.settle(again({ ...changed.message, priority: 7 }));

      expect((await hands.receiveOne()).message.args).toEqual(['changed']);
    });
  }
}
