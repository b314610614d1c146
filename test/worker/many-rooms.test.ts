import { createLocks, locked, memoryBroker, memoryCoordinator } from 'lockkeeper';
import { ManualClock } from 'lockkeeper/testing';
import { expect, it } from 'vitest';
import type { Consumer } from '../../src/brokers/broker.js';
import { settle } from '../../src/testing/manual-clock.js';
import { manualApp } from './support.js';

const keys = Array.from({ length: 600 }, (_, i) => `key-${i}`);

/** A worker with a room for each of more keys than it has places in line. Others hold them all. */
async function manyRooms() {
  const clock = new ManualClock();
  const coordinator = memoryCoordinator({ clock });
  const broker = memoryBroker({ clock });
  const consumers: Consumer[] = [];
  const { consume } = broker;
  broker.consume = async (...args) => {
    const consumer = await consume.apply(broker, args);
    consumers.push(consumer);
    return consumer;
  };
  const { app, work } = manualApp({ coordinator, broker }, clock);
  const others = createLocks({ coordinator, clock });
  const held = await Promise.all(keys.map((key) => others.acquire(key, { maxHold: false })));
  const ran: string[] = [];
  const task = app.task(
    't',
    locked((key: string) => key),
    (key: string) => void ran.push(key),
  );
  await task.delayMany(keys.map((key): [string] => [key]));
  await work({ concurrency: 10 });
  await clock.advance('100ms');
  expect((await broker.depth('default')).parked).toBe(keys.length);
  const inLine = async () => {
    const states = await Promise.all(keys.map((key) => others.inspect(key)));
    return states.reduce((sum, { waiting }) => sum + waiting.length, 0);
  };
  return { clock, broker, consumer: consumers[0] as Consumer, task, held, ran, inLine };
}

it('nobody stands in line for rooms that somebody else has emptied', async () => {
  const { clock, broker, inLine } = await manyRooms();
  expect(await inLine()).toBe(256);

  await broker.purge('default');
  await clock.advance('2s');

  expect(await inLine()).toBe(0);
});

it('whoever has something parked meanwhile is not sent away for rooms that were found empty before', async () => {
  const { clock, broker, consumer, task, held, ran } = await manyRooms();
  const { vacant } = consumer;
  let asked!: () => void;
  const answered = new Promise<void>((resolve) => {
    asked = resolve;
  });
  let found: readonly string[] | undefined;
  consumer.vacant = async (resources) => {
    found ??= await vacant?.call(consumer, resources);
    await answered;
    return found ?? [];
  };
  await broker.purge('default');
  await clock.advance('1s');
  expect(found).toHaveLength(keys.length);

  await task.delay('key-7');
  await settle();
  expect((await broker.depth('default')).parked).toBe(1);
  asked();
  await settle();
  await held[7]?.release();
  await clock.advance('1s');

  expect(ran).toEqual(['key-7']);
});
