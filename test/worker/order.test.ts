import { createApp, createWorker, locked, memoryBroker, memoryCoordinator, memoryResults } from 'lockkeeper';
import { ManualClock } from 'lockkeeper/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { settle } from '../../src/testing/manual-clock.js';
import { fate, ScriptedCoordinator } from '../support/scripted-coordinator.js';
import { gate } from './support.js';

/**
 * A worker asks for a message's permit while it has no other slot to stand in line for what is parked, and has one when
 * the answer comes: the permit is had, and nobody stands there yet.
 */
async function asksAndGetsASlot(onBusy: 'requeue' | 'skip') {
  const clock = new ManualClock();
  const coordinator = new ScriptedCoordinator(memoryCoordinator({ clock }), clock);
  const parts = { broker: memoryBroker({ clock }), results: memoryResults({ clock }), coordinator, clock };
  const started: string[] = [];
  const slots = gate();
  const side = () => {
    const app = createApp(parts);
    const body = async (name: string) => void started.push(name);
    const parked = app.task('parked', locked('r'), body);
    const comer = app.task('comer', locked('r', { onBusy }), body);
    const other = app.task('other', { queue: 'others' }, slots.body);
    onTestFinished(async () => {
      await slots.open();
      const closed = app.close();
      await clock.advance('10s');
      await closed;
    });
    return { app, parked, comer, other };
  };
  const [first, second] = [side(), side()];
  await createWorker(second.app, { concurrency: 2 }).start();
  await second.other.delayMany([[], []]);
  const holder = await first.app.locks.acquire('r');
  const worker = createWorker(first.app, { drain: 0, queues: ['default'] });
  await worker.start();
  await first.parked.delay('parked');
  await settle();
  await worker.stop();
  await holder.release();
  await second.comer.delay('comer');
  coordinator.next('enter', fate.slowReply(100));
  await slots.open(1);
  await slots.open(1);
  expect(started).toEqual([]);
  await clock.advance(100);
  return started;
}

describe('a message that has its permit before anybody stands in line', () => {
  it('goes behind what is parked, and its permit and slot serve that first', async () => {
    expect(await asksAndGetsASlot('requeue')).toEqual(['parked', 'comer']);
  });

  it('runs at once where its limit says that it does not wait', async () => {
    expect(await asksAndGetsASlot('skip')).toEqual(['comer', 'parked']);
  });
});
