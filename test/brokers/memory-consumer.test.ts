import { describe, expect, it } from 'vitest';
import type { Room } from '../../src/brokers/broker.js';
import { MemoryBroker } from '../../src/brokers/memory.js';
import { ClosedError } from '../../src/errors.js';
import { ManualClock, settle } from '../../src/testing/manual-clock.js';
import { calls, done, parked, resource } from '../conformance/broker/kit.js';
import { lease, queue, start, vanish } from './memory-kit.js';

describe('a consumer of the memory broker', () => {
  it('serves consumers one message each, in turn', async () => {
    const broker = new MemoryBroker({ clock: new ManualClock() });
    const served: string[] = [];
    for (const name of ['a', 'b', 'c']) {
      await broker.consume([queue], {
        concurrency: name === 'b' ? 1 : 3,
        lease,
        onDelivery: () => served.push(name),
      });
    }

    await broker.publish(calls(10), { queue });
    await settle();

    expect(served).toHaveLength(7);
    expect(served.slice(0, 3).sort()).toEqual(['a', 'b', 'c']);
    expect(served.slice(3, 5).sort()).toEqual(['a', 'c']);
  });

  it('says that there is more while its queues have a message that waits for a slot', async () => {
    const { consumer, publish, deliveries } = await start({ concurrency: 1 });
    const [first] = await publish(calls(2));
    expect(consumer.more).toBe(true);
    await first!.settle(done);
    await settle();
    expect(deliveries).toHaveLength(1);
    expect(consumer.more).toBe(false);
  });

  it('tells of a room once, and of none for a message whose deadline has passed already', async () => {
    const rooms: Room[] = [];
    const { clock, publish } = await start({ onRoom: (room) => rooms.push(room) });
    const [first, second, third] = await publish(calls(3));
    await first!.settle(parked(first!.message, { deadline: clock.wall() }));
    await settle();
    expect(rooms).toEqual([]);

    await second!.settle(parked(second!.message));
    await third!.settle(parked(third!.message));
    await settle();
    expect(rooms).toHaveLength(1);
  });

  it('tells a consumer that vanished nothing', async () => {
    const told: unknown[] = [];
    const tell = (what?: unknown) => told.push(what);
    const { broker, consumer, publish } = await start({ onRoom: tell, onRevoked: tell, onIdle: tell });
    const [delivery] = await publish();
    told.length = 0;
    await vanish(consumer);

    await delivery!.settle(parked(delivery!.message));
    await broker.revoke('id');

    expect(await publish()).toEqual([]);
    expect(told).toEqual([]);
  });

  it('lets a consumer that vanished settle within its lease, and not after', async () => {
    const { clock, broker, consumer, publish } = await start();
    const [first, second] = await publish(calls(2));
    await vanish(consumer);

    await clock.advance(lease - 1);
    expect(await first!.settle(done)).toBe(true);
    await clock.advance(1);
    expect(await second!.settle(done)).toBe(false);
    expect(await broker.depth(queue)).toMatchObject({ ready: 1, running: 0 });
  });

  it('refuses to take without a slot', async () => {
    const { consumer, publish } = await start({ concurrency: 1 });
    await publish();

    await expect(consumer.take(resource, { weight: 1 })).rejects.toThrow('needs a free slot');
  });

  it('tells when a slot is idle to whoever was told that none is', async () => {
    let idles = 0;
    const { broker, consumer } = await start({ onIdle: () => idles++ });
    await settle();
    expect([consumer.idle, idles]).toEqual([10, 1]);

    const published = broker.publish(calls(1), { queue });
    expect(consumer.idle).toBe(0);
    await published;
    await settle();

    expect([consumer.idle, idles]).toEqual([9, 2]);
  });

  it('does not tell again that a slot is idle because something else happened', async () => {
    let idles = 0;
    const { broker } = await start({ onIdle: () => idles++ });
    await settle();
    await broker.publish(calls(1), { queue: 'another' });
    await settle();

    expect(idles).toBe(1);
  });

  it('takes nothing more once it is stopped, and settles all the same', async () => {
    const { broker, consumer, publish } = await start();
    const [first, second] = await publish(calls(2));
    await first!.settle(parked(first!.message));
    await consumer.stop();

    const settling = { delivery: second!, outcome: done };
    expect(await consumer.take(resource, { weight: 1, settling })).toEqual({ kind: 'empty' });
    expect(await consumer.take(resource, { weight: 1 })).toEqual({ kind: 'empty' });
    expect(await broker.depth(queue)).toMatchObject({ parked: 1, running: 0 });
  });

  it('serves a queue once that is named twice', async () => {
    const { broker, publish } = await start();
    const [delivery] = await publish();
    await delivery!.settle(parked(delivery!.message));
    const consumer = await broker.consume([queue, queue], { concurrency: 1, lease, onDelivery: () => {} });

    expect(await consumer.rooms()).toHaveLength(1);
  });

  it('closes its consumers with it', async () => {
    const { broker, consumer, publish } = await start();
    const [delivery] = await publish();
    await broker.close();

    expect(await delivery!.settle(done)).toBe(false);
    const calls = [
      () => consumer.take(resource, { weight: 1 }),
      () => consumer.rooms(),
      () => consumer.attend([]),
      () => consumer.orphans(),
    ];
    for (const call of calls) await expect(call()).rejects.toThrow(ClosedError);
  });
});
