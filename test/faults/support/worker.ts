/**
 * A worker in a process of its own, that tests kill. It tells on its standard output when a body starts and how it ends:
 * a pipe is written at once, so what was told has happened, even when it is killed right after.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { createApp, createWorker, currentTask, locked } from '../../../src/index.js';

export interface WorkerSpec {
  readonly broker: string;
  /** Default: the broker's own. */
  readonly coordinator?: string;
  readonly queue: string;
  /** How long a body takes, in milliseconds. */
  readonly takes: number;
  readonly concurrency: number;
  readonly lease: number;
  /** How long bodies may go on when it stops, in milliseconds. Default 25 s. */
  readonly drain?: number;
  /** Behind a resource of this capacity, which is called as the queue is. */
  readonly capacity?: number;
}

const spec = JSON.parse(process.argv[2] ?? '') as WorkerSpec;
const { broker, queue, capacity, lease, concurrency, drain } = spec;

/** Milliseconds on the clock that all processes of a machine share. */
const now = () => Number(process.hrtime.bigint()) / 1e6;
const tell = (...words: unknown[]) => process.stdout.write(`${words.join(' ')}\n`);

const coordinator = spec.coordinator ?? (capacity === undefined ? 'memory:' : undefined);
const app = createApp({ broker, queue, results: 'memory:', coordinator });
const limits = capacity === undefined ? [] : [locked(queue, capacity, { lease, countdown: 1_000 })];
app.on('task.deferred', ({ id }) => tell('deferred', id));
app.on('task.void', ({ id }) => tell('void', id));
/** How late those are that start now, in milliseconds, when they were delayed. */
const late = new Map<string, number | undefined>();
app.on('task.started', (event) => late.set(event.id, event.late));
app.task('work', { limits, ignoreResult: true, maxLost: 1_000 }, async (index: number) => {
  const { id, attempt, deferrals, signal } = currentTask();
  tell('start', index, now(), attempt, deferrals, late.get(id) ?? '');
  late.delete(id);
  try {
    await sleep(spec.takes, undefined, { signal });
    tell('end', index, now());
  } catch (error) {
    tell('break', index, now());
    throw error;
  }
});
const worker = createWorker(app, { concurrency, lease, drain });
process.once('SIGTERM', () => {
  void worker
    .stop()
    .then(() => app.close())
    .then(() => process.exit(0));
});
await worker.start();
tell('ready');
