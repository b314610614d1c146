import type { Command } from 'commander';
import type { ResourceReport } from '../tasks/operator/resources.js';
import { conditions, details, limitText } from './describe.js';
import { addPause, addRelease, addResume, addSet } from './lock-changes.js';
import { answer, type OperatorFlags, operator, queuesIn } from './operate.js';
import { count } from './text.js';

/** `lockkeeper locks`: who holds what and who waits. */
export function addLocks(program: Command): void {
  const locks = program
    .command('locks')
    .description('show resources: limits, holders, lines, rooms; or change one')
    .usage('[options] [names...]\n       lockkeeper locks set|pause|resume|release [options] <name> ...')
    .argument('[names...]', 'resources; default: those the app names, and those something waits for');
  answer<OperatorFlags, [string[]]>(operator(locks), async (app, flags, names) => {
    const value = await app.operator.resources(names.length > 0 ? names : undefined, queuesIn(flags));
    return { value, text: overview(value, app.clock.wall(), names.length > 0) };
  });
  for (const add of [addSet, addPause, addResume, addRelease]) add(locks);
}

function overview(reports: readonly ResourceReport[], now: number, named: boolean): string {
  if (reports.length === 0) return 'The app names no resource, and nothing waits for any.';
  const most = named ? Number.POSITIVE_INFINITY : undefined;
  return reports
    .map((report) => [headline(report, now), ...details(report, now, most)].join('\n'))
    .join('\n\n');
}

/** `storage · 10 at once · 7 held · on redis`. */
export function headline(report: ResourceReport, now: number, ...more: string[]): string {
  const { resource, declared, used, unavailable, coordinator } = report;
  const held = 'rate' in declared || unavailable !== undefined ? [] : [`${count(used)} held`];
  const all = [
    resource,
    limitText(report),
    ...held,
    ...more,
    ...conditions(report, now),
    `on ${coordinator}`,
  ];
  return all.join(' · ');
}
