import { checkObject } from '../check.js';
import { ConfigError } from '../errors.js';
import type { Unsubscribe } from '../events.js';
import type { App } from '../tasks/app.js';
import type { AppEvents } from '../tasks/events.js';
import { observe } from './meter/gauges.js';
import { gauges, instruments, type MeterSlice, type Observations } from './meter/instruments.js';
import { declaredLabels } from './meter/labels.js';

export interface MeasureOptions {
  /** Of OpenTelemetry. Default: the one named `lockkeeper` of the global provider, which must be registered by then. */
  meter?: MeterSlice;
  /**
   * The attribute `resource` that a resource is counted under. Default: its name if that stands in the app, else the
   * pattern that declares it, else `other`: there may be a name for every tenant, and each would be a time series.
   */
  label?: (resource: string) => string;
}

/**
 * Measures what happens in this process to the app's tasks and permits, and how its resources and queues are: see
 * `docs/operations.md` for the instruments. Resolves with what ends it. Without it nothing is measured, at no cost.
 *
 * Throws `ConfigError` when no meter is given and `@opentelemetry/api` is not installed.
 */
export async function measure(app: App, options: MeasureOptions = {}): Promise<Unsubscribe> {
  checkObject(options, 'options', ['meter', 'label']);
  const { label = declaredLabels(app) } = options;
  const meter: MeterSlice = options.meter ?? (await api()).metrics.getMeter('lockkeeper');
  if (typeof meter?.createHistogram !== 'function') {
    throw ConfigError.expected('meter', 'a Meter of OpenTelemetry', meter);
  }
  if (typeof label !== 'function') throw ConfigError.expected('label', 'a function', label);
  const unsubscribe = listen(app, meter, label);
  const all = gauges(meter);
  const observer = (to: Observations) => observe(app, all, label, to);
  meter.addBatchObservableCallback(observer, Object.values(all));
  return () => {
    for (const end of unsubscribe) end();
    meter.removeBatchObservableCallback(observer, Object.values(all));
  };
}

/** The same where a global provider is registered; else nothing, and nothing to end. */
export async function measureGlobally(app: App): Promise<Unsubscribe | undefined> {
  const found = await api().catch(() => undefined);
  if (!found) return undefined;
  const meter = found.metrics.getMeter('lockkeeper');
  return meter.constructor === found.createNoopMeter().constructor
    ? undefined
    : await measure(app, { meter });
}

function listen(app: App, meter: MeterSlice, label: (resource: string) => string): Unsubscribe[] {
  const { wait, hold, lost, deferrals, handOffs, duration, lateness, ends } = instruments(meter);
  const late = ({ task, late }: { task: string; late?: number }) => {
    if (late !== undefined) lateness.record(late / 1_000, { task });
  };
  const endsAs = <K extends Ending>(name: K, outcome: string) =>
    app.on(name, ({ task }) => ends.add(1, { task, outcome }));
  return [
    app.on('task.started', (run) => {
      const { task, resources, waited, handedOn } = run;
      for (const resource of resources) wait.record(waited / 1_000, { resource: label(resource), task });
      if (handedOn) handOffs.add(1, { task });
      late(run);
    }),
    app.on('task.deferred', (deferral) => {
      const { task, resource, reason } = deferral;
      deferrals.add(1, { task, resource: label(resource), reason });
      late(deferral);
    }),
    app.on('task.done', ({ task, took }) => {
      duration.record(took / 1_000, { task });
      ends.add(1, { task, outcome: 'done' });
    }),
    endsAs('task.failed', 'failed'),
    endsAs('task.retried', 'retried'),
    endsAs('task.skipped', 'skipped'),
    endsAs('task.expired', 'expired'),
    endsAs('task.revoked', 'revoked'),
    endsAs('task.aside', 'aside'),
    endsAs('task.lost', 'lost'),
    endsAs('task.void', 'void'),
    app.on('permit.acquired', ({ resource, waited }) =>
      wait.record(waited / 1_000, { resource: label(resource) }),
    ),
    app.on('permit.released', ({ resource, held }) =>
      hold.record(held / 1_000, { resource: label(resource) }),
    ),
    app.on('permit.lost', ({ resource, cause }) => lost.add(1, { resource: label(resource), cause })),
  ];
}

type Ending = Extract<keyof AppEvents, `task.${string}`>;

async function api(): Promise<Pick<typeof import('@opentelemetry/api'), 'metrics' | 'createNoopMeter'>> {
  try {
    return await import('@opentelemetry/api');
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new ConfigError(
      'Measuring needs the package `@opentelemetry/api`: npm install @opentelemetry/api',
      {
        cause: error,
      },
    );
  }
}
