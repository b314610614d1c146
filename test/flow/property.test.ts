import fc from 'fast-check';
import { expect, it } from 'vitest';
import { histories } from './histories.js';
import { play } from './history.js';

it('keeps every promise through random limits, tasks, crashes, late releases and capacity changes', async () => {
  await fc.assert(
    fc.asyncProperty(histories, async (history) => {
      const { runs } = await play(history);
      expect(runs).toBeGreaterThanOrEqual(0);
    }),
    { numRuns: 60, endOnFailure: true },
  );
}, 120_000);
