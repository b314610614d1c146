/** Random histories of processes and an etcd that are played, in no time, while everything goes wrong */

import { readFlags } from '../../bench/support/flags.js';
import { play } from '../simulation/history.js';

const { count, from } = readFlags('Random histories of processes and an etcd, in no time.', {
  count: { default: 5_000, help: 'histories' },
  from: { default: 1 + Math.floor(Math.random() * 1e9), help: 'the seed of the first; default: any' },
});
const totals = { histories: 0, acquisitions: 0, faults: 0, violations: 0 };
const report = () =>
  console.log(
    `${totals.histories} histories from ${from} on, ${totals.acquisitions} acquisitions, ${totals.faults} faults, ` +
      `${totals.violations} violations`,
  );
let reported = Date.now();

for (let seed = from; seed < from + count; seed++) {
  const { acquisitions, faults, violations } = await play(seed);
  totals.histories++;
  totals.acquisitions += acquisitions;
  totals.faults += faults;
  totals.violations += violations.length;
  for (const violation of violations) console.error(`history ${seed}, ${violation}`);
  if (violations.length > 0) process.exitCode = 1;
  if (Date.now() - reported < 10_000) continue;
  report();
  reported = Date.now();
}
report();
