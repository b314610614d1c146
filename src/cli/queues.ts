import type { Command } from 'commander';
import { readable } from '../duration.js';
import type { QueueReport } from '../tasks/operator.js';
import { answer, operator, queuesIn } from './operate.js';
import { count, table } from './text.js';

/** As many rooms of a queue are shown, those with the most messages first. */
const mostRooms = 10;

/** `lockkeeper queues`: how many messages are where. */
export function addQueues(program: Command): void {
  const queues = program.command('queues').description('show how many messages are where');
  answer(operator(queues), async (app, flags) => {
    const value = await app.operator.queues(queuesIn(flags));
    return { value, text: [totals(value), ...rooms(value, app.clock.wall())].join('\n') };
  });
}

const columns = ['ready', 'delayed', 'parked', 'running', 'apart'] as const;

function totals(reports: readonly QueueReport[]): string {
  const rows = reports.map((report) => [report.queue, ...columns.map((name) => count(report[name]))]);
  return table(rows, { header: ['queue', ...columns] });
}

function rooms(reports: readonly QueueReport[], now: number): string[] {
  return reports.flatMap(({ queue, rooms }) => {
    if (rooms.length === 0) return [];
    const largest = [...rooms].sort((a, b) => b.parked - a.parked).slice(0, mostRooms);
    const rows = largest.map(({ resource, parked, since }) => [
      resource,
      count(parked),
      `oldest waits for ${readable(now - since)}`,
    ]);
    const rest = rooms.length - largest.length;
    const more = rest > 0 ? [`  and ${count(rest)} more rooms`] : [];
    return ['', `Parked in ${queue}, for`, table(rows, { indent: '  ' }), ...more];
  });
}
