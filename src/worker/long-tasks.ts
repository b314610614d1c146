import type { App } from '../tasks/app.js';

/** Warns of tasks whose time limit is longer than the broker lets a worker have a message in hand. */
export function warnOfLongTasks({ broker, tasks }: Pick<App, 'broker' | 'tasks'>): void {
  const { patience } = broker;
  if (!patience) return;
  const long = [...tasks.values()].filter(({ settings }) => (settings.hard ?? 0) > patience.ms);
  if (long.length === 0) return;
  const names = long.map(({ name }) => `"${name}"`).join(', ');
  process.emitWarning(
    `${names} may run for more than ${patience.ms / 60_000} minutes, and the ${broker.kind} broker may take a message away ` +
      `from a worker that has it for so long: ${patience.advice}`,
    { type: 'LockkeeperWarning', code: 'LOCKKEEPER_LONG_TASK' },
  );
}
