/** Random histories of limits, tasks, crashes and capacity changes */

import fc from 'fast-check';
import { readFlags } from '../../bench/support/flags.js';
import { histories } from '../flow/histories.js';
import { play } from '../flow/history.js';

const { count, seed } = readFlags('Random histories of limits, tasks, crashes and capacity changes.', {
  count: { default: 5_000, help: 'histories' },
  seed: { default: '', help: 'of an earlier run, to play it again' },
});
const totals = { histories: 0, runs: 0, deliveries: 0 };
const report = () =>
  console.log(
    `${totals.histories} histories, ${totals.runs} runs, ${totals.deliveries} deliveries, no violation`,
  );
const progress = setInterval(report, 10_000);

await fc.assert(
  fc.asyncProperty(histories, async (history) => {
    const { runs, deliveries } = await play(history);
    totals.histories++;
    totals.runs += runs;
    totals.deliveries += deliveries;
  }),
  { numRuns: count, seed: seed === '' ? undefined : Number(seed), endOnFailure: true },
);
clearInterval(progress);
report();
