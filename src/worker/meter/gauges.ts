import type { App } from '../../tasks/app.js';
import type { QueueReport } from '../../tasks/operator.js';
import type { Attributes, Gauge, Observations } from './instruments.js';

export interface Gauges {
  readonly used: Gauge;
  readonly capacity: Gauge;
  readonly messages: Gauge;
  readonly oldestWait: Gauge;
}

const places = ['ready', 'delayed', 'parked', 'running', 'apart'] as const;

/** Looks the gauges up: a question for each resource that has a name of its own in the app, and two for each queue. */
export async function observe(
  app: App,
  gauges: Gauges,
  label: (resource: string) => string,
  to: Observations,
): Promise<void> {
  await Promise.all([
    ignored(() => observeResources(app, gauges, to)),
    ignored(() => observeQueues(app, gauges, label, to)),
  ]);
}

/** A server that does not answer leaves a gap in the figures, which is what a gap means. */
async function ignored(look: () => Promise<void>): Promise<void> {
  try {
    await look();
  } catch {
    // The worker's own events tell of it.
  }
}

async function observeResources(app: App, gauges: Gauges, to: Observations): Promise<void> {
  const names = ownNames(app);
  if (names.length === 0) return;
  for (const { resource, declared, capacity, used, unavailable } of await app.operator.resources(names)) {
    if (unavailable !== undefined || !('capacity' in declared)) continue;
    const attributes = { resource };
    to.observe(gauges.used, used, attributes);
    to.observe(gauges.capacity, capacity ?? declared.capacity, attributes);
  }
}

function ownNames(app: App): string[] {
  const names = app.locks.settings.resources.names.filter((name) => !name.endsWith('*'));
  const ofTasks = [...app.tasks.values()].flatMap(({ limits }) => limits.map(({ key }) => key));
  return [...new Set([...names, ...ofTasks.filter((key) => typeof key === 'string')])];
}

async function observeQueues(
  app: App,
  gauges: Gauges,
  label: (resource: string) => string,
  to: Observations,
): Promise<void> {
  for (const report of await app.operator.queues()) {
    const { queue } = report;
    for (const where of places) to.observe(gauges.messages, report[where], { queue, where });
    const now = app.clock.wall();
    for (const [resource, since] of oldestByLabel(report, label)) {
      const attributes: Attributes = { queue, resource };
      to.observe(gauges.oldestWait, Math.max(0, now - since) / 1_000, attributes);
    }
  }
}

function oldestByLabel({ rooms }: QueueReport, label: (resource: string) => string): Map<string, number> {
  const oldest = new Map<string, number>();
  for (const { resource, since } of rooms) {
    const name = label(resource);
    oldest.set(name, Math.min(oldest.get(name) ?? since, since));
  }
  return oldest;
}
