import { expect, it } from 'vitest';
import { play } from './history.js';

/** Played again by `npm run soak -- etcd-histories --from SEED --count 1`, and many more by that. */
const seeds = Array.from({ length: 200 }, (_, i) => i + 1);

it('processes get no more than there is, and all go on, whatever goes wrong between them and an etcd', async () => {
  let acquisitions = 0;
  for (const seed of seeds) {
    const seen = await play(seed);
    expect({ seed, violations: seen.violations }).toEqual({ seed, violations: [] });
    acquisitions += seen.acquisitions;
  }
  expect(acquisitions).toBeGreaterThan(100 * seeds.length);
}, 300_000);

it('the same seed is the same history', async () => {
  const [once, again] = [await play(7), await play(7)];
  expect(again).toEqual(once);
  expect(await play(8)).not.toEqual(once);
});
