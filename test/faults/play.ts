import { until } from '../support/until.js';
import { type Fault, oneOf, type Stage } from './faults.js';
import type { Load } from './load.js';

/**
 * One fault after another, as many as the first argument of the program says, and only those whose name contains the
 * second. After each all sides have to go on within half a minute, and in the end nothing may be left. Prints totals, and
 * makes the program fail when anything was not as it should be.
 */
export async function playFaults<S extends Stage>(
  faults: Readonly<Record<string, Fault<S>>>,
  { stage, load, clean }: { stage: S; load: Load; clean: () => Promise<boolean> },
): Promise<void> {
  const [count = '100', only = ''] = process.argv.slice(2);
  const names = Object.keys(faults).filter((name) => name.includes(only));
  let unhandled = 0;
  process.on('unhandledRejection', (error) => {
    unhandled++;
    console.error('Unhandled rejection:', error);
  });
  let played = 0;
  const report = () =>
    `${load.acquisitions} acquisitions, ${played} faults, ${load.violations.length} violations, ${unhandled} unhandled rejections`;
  try {
    await load.goesOn();
    while (played < Number(count) && load.violations.length === 0) {
      const name = oneOf(names);
      console.log(`${++played}: ${name}`);
      await faults[name]?.(stage);
      await load.goesOn();
      if (played % 50 === 0) console.log(report());
    }
    await load.end();
    await until(clean, 30_000);
  } catch (error) {
    console.error(error);
    process.exitCode = 1;
  }
  for (const violation of load.violations) console.error(violation);
  if (load.violations.length + unhandled > 0) process.exitCode = 1;
  console.log(report(), Object.fromEntries(load.errors));
}
