import { expect, it } from 'vitest';
import { MemoryResults } from '../../src/results/memory.js';
import { ManualClock } from '../../src/testing/manual-clock.js';
import { resultStoreSuite } from '../conformance/result-store.js';

const clock = new ManualClock();
let store = new MemoryResults({ clock });

resultStoreSuite('memory', {
  // One process is one party: whoever connects gets the same store, and every test a new one.
  connect: async () => store,
  pass: (ms) => clock.advance(ms),
  cleanup: async () => {
    expect(clock.next).toBeUndefined();
    store = new MemoryResults({ clock });
  },
});

it('removes what has expired while others come in, whatever their times', async () => {
  const results = new MemoryResults({ clock });
  for (let i = 0; i < 100; i++) await results.put(`long ${i}`, { state: 'expired', at: 1 }, 1_000_000);

  for (let i = 0; i < 10_000; i++) {
    await results.put(`short ${i}`, { state: 'expired', at: 1 }, 100);
    if (i % 100 === 0) await clock.advance(100);
  }

  expect(results.size).toBeLessThan(700);
  expect(await results.get('long 0')).toBeDefined();
});

it('calls no listener after it was closed', async () => {
  const results = new MemoryResults({ clock });
  let calls = 0;
  await results.watch('id', () => calls++);
  const put = results.put('id', { state: 'started', at: 1 }, 1_000);
  await results.close();
  await put;
  await clock.advance(0);

  expect(calls).toBe(0);
});

it('tells nobody of what was put before they watched, though nobody was told of it yet', async () => {
  const results = new MemoryResults({ clock });
  const told: unknown[] = [];
  await results.watch('id', () => {});
  const put = results.put('id', { state: 'started', at: 1 }, 1_000);
  const watching = results.watch('id', (state) => told.push(state));
  await Promise.all([put, watching]);
  await clock.advance(0);

  expect(told).toEqual([]);
});

it('works by the clock of the machine when it is given none', async () => {
  const results = new MemoryResults();
  await results.put('id', { state: 'expired', at: 1 }, 60_000);

  expect(await results.get('id')).toEqual({ state: 'expired', at: 1 });
});
