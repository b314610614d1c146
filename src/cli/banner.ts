import { readable } from '../duration.js';
import type { Limit } from '../locks/limit.js';
import { serverOf } from '../servers.js';
import type { App } from '../tasks/app.js';
import type { ResourceReport } from '../tasks/operator/resources.js';
import type { Worker } from '../worker/worker.js';
import { conditions, limitText } from './describe.js';
import { rateText, table } from './text.js';

/** What a worker is about to do, for whoever started it. */
export interface Banner {
  readonly version: string;
  readonly broker: string;
  readonly coordinator: string;
  readonly results: string;
  readonly queues: readonly string[];
  readonly slots: number;
  /** Milliseconds. */
  readonly drain: number;
  readonly tasks: readonly {
    readonly task: string;
    readonly queue: string;
    readonly limits: readonly string[];
  }[];
  readonly limits: readonly BannerLimit[];
}

interface BannerLimit {
  readonly resource: string;
  readonly limit: string;
  /** Among whom it holds. */
  readonly scope: string;
  readonly now: readonly string[];
}

/** Limits are told as they are in force, so their coordinators are asked; one that does not answer is told as well. */
export async function bannerOf(app: App, worker: Worker, version: string): Promise<Banner> {
  const { resources } = app.locks.settings;
  const names = [...new Set([...resources.names, ...fixedNames(app)])].sort();
  const own = names.filter((name) => !name.endsWith('*'));
  const reports = own.length > 0 ? await app.operator.resources(own) : [];
  const byName = new Map(reports.map((report) => [report.resource, report]));
  return {
    version,
    broker: serverOf(app.broker),
    coordinator: serverOf(resources.resolve('').coordinator),
    results: serverOf(app.results),
    queues: worker.queues,
    slots: worker.settings.concurrency,
    drain: worker.settings.drain,
    tasks: tasksOf(app),
    limits: names.map((name) => limitOf(app, name, byName.get(name))),
  };
}

function tasksOf(app: App): Banner['tasks'] {
  return [...app.tasks.values()].map(({ name, settings, limits }) => ({
    task: name,
    queue: settings.queue,
    limits: limits.map(keyOf),
  }));
}

function keyOf({ key, kind }: Limit): string {
  if (typeof key === 'string') return key;
  return `${kind === 'rate' ? 'a rate' : 'a resource'} by its arguments`;
}

function fixedNames(app: App): string[] {
  return [...app.tasks.values()].flatMap(({ limits }) =>
    limits.map(({ key }) => key).filter((key) => typeof key === 'string'),
  );
}

function limitOf(app: App, name: string, report: ResourceReport | undefined): BannerLimit {
  // A pattern is no resource, but declares what each that it matches is.
  const { coordinator, rate, capacity = 1 } = app.locks.settings.resources.resolve(name);
  const scope =
    coordinator.kind === 'memory' ? 'within this process' : `over all workers, on ${serverOf(coordinator)}`;
  if (report)
    return { resource: name, limit: limitText(report), scope, now: conditions(report, app.clock.wall()) };
  const each = rate ? rateText(rate) : capacity === 1 ? 'one at a time' : `${capacity} at once`;
  return { resource: name, limit: `${each} for each name`, scope, now: [] };
}

/** The same for people. */
export function bannerText(banner: Banner): string {
  const { version, queues, slots, drain, tasks, limits } = banner;
  const servers = (['broker', 'coordinator', 'results'] as const).map((part) => [part, banner[part]]);
  const about = [
    ...servers,
    ['queues', queues.join(', ')],
    ['slots', String(slots)],
    ['drain', readable(drain)],
  ];
  const sections = [`lockkeeper ${version}, a worker`, table(about, { indent: '  ' })];
  const taskRows = tasks.map(({ task, queue, limits }) => [
    task,
    `queue ${queue}`,
    limits.join(', ') || 'no limit',
  ]);
  if (taskRows.length > 0) sections.push('Tasks', table(taskRows, { indent: '  ' }));
  const limitRows = limits.map(({ resource, limit, scope, now }) => [
    resource,
    limit,
    scope,
    now.join(' · '),
  ]);
  if (limitRows.length > 0) sections.push('Limits in force', table(limitRows, { indent: '  ' }));
  return `${sections.join('\n')}\n`;
}
