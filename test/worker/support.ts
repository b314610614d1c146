import { createApp, createWorker, type Worker, type WorkerOptions } from 'lockkeeper';
import { ManualClock } from 'lockkeeper/testing';
import { onTestFinished } from 'vitest';
import type { App, AppOptions } from '../../src/tasks/app.js';
import type { AppEvents } from '../../src/tasks/events.js';
import { settle } from '../../src/testing/manual-clock.js';

/** An app in memory on a clock that stands still, with what its events told. */
export function manualApp(options: Omit<AppOptions, 'clock'> = {}, clock = new ManualClock()) {
  const app = createApp({ ...options, clock });
  const errors: unknown[] = [];
  app.on('worker.error', ({ error }) => errors.push(error));
  onTestFinished(async () => {
    const closed = app.close();
    for (let i = 0; i < 100; i++) await clock.advance('1s');
    await closed;
    if (errors.length > 0) throw errors[0];
  });
  const workers: Worker[] = [];
  const work = async (workerOptions: WorkerOptions = {}) => {
    const worker = createWorker(app, workerOptions);
    await worker.start();
    workers.push(worker);
    await settle();
    return worker;
  };
  return { app, clock, work, settle };
}

/** Every event of these names, as it came. */
export function record<K extends keyof AppEvents>(app: App, ...names: K[]): (AppEvents[K] & { event: K })[] {
  const seen: (AppEvents[K] & { event: K })[] = [];
  for (const name of names) app.on(name, (event) => seen.push({ ...event, event: name }));
  return seen;
}

/** A body that ends when it is told to, and knows how many of it run. */
export function gate() {
  const waiting: (() => void)[] = [];
  const state = {
    running: 0,
    most: 0,
    started: 0,
    async body(): Promise<void> {
      state.running++;
      state.started++;
      state.most = Math.max(state.most, state.running);
      await new Promise<void>((resolve) => waiting.push(resolve));
      state.running--;
    },
    /** Lets so many bodies end, the first first. */
    async open(count = Number.POSITIVE_INFINITY): Promise<void> {
      for (let i = 0; i < count && waiting.length > 0; i++) {
        waiting.shift()?.();
        if (i % 50 === 49) await settle();
      }
      await settle();
    },
  };
  return state;
}
