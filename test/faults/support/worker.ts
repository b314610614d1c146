/**
 * A worker in a process of its own, that tests kill. It tells on its standard output when a body starts and when it has
 * returned: a pipe is written at once, so what was told has happened, even when it is killed right after.
 */
import { createApp, createWorker, locked } from '../../../src/index.js';

export interface WorkerSpec {
  readonly broker: string;
  readonly queue: string;
  /** How long a body takes, in milliseconds. */
  readonly takes: number;
  readonly concurrency: number;
  readonly lease: number;
  /** Behind a resource of this capacity, kept in the broker's Redis. */
  readonly capacity?: number;
}

const spec = JSON.parse(process.argv[2] ?? '') as WorkerSpec;

const app = createApp({
  broker: spec.broker,
  queue: spec.queue,
  results: 'memory:',
  ...(spec.capacity === undefined ? { coordinator: 'memory:' } : {}),
});
const limits =
  spec.capacity === undefined
    ? []
    : [locked(`${spec.queue}-resource`, spec.capacity, { lease: spec.lease, countdown: 1_000 })];
app.task('work', { limits, ignoreResult: true, maxLost: 1_000 }, async (index: number) => {
  process.stdout.write(`start ${index}\n`);
  await new Promise((resolve) => setTimeout(resolve, spec.takes));
  process.stdout.write(`end ${index}\n`);
});
const worker = createWorker(app, { concurrency: spec.concurrency, lease: spec.lease });
await worker.start();
process.stdout.write('ready\n');
process.once('SIGTERM', () => {
  void worker
    .stop()
    .then(() => app.close())
    .then(() => process.exit(0));
});
