/** Random histories of limits, tasks, crashes and capacity changes: [count] [seed] */
import fc from 'fast-check';
import { histories } from '../flow/histories.js';
import { play } from '../flow/history.js';

const [count = '5000', seed] = process.argv.slice(2).filter((argument) => !argument.startsWith('-'));
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
  { numRuns: Number(count), seed: seed === undefined ? undefined : Number(seed), endOnFailure: true },
);
clearInterval(progress);
report();
