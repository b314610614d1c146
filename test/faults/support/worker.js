/**
 * A worker in a process of its own, that tests kill. It tells on its standard output when a body starts and how it ends:
 * a pipe is written at once, so what was told has happened, even when it is killed right after.
 *
 * It is plain JavaScript and runs the built package, so that it is there in an instant. Arguments: the built package, and
 * a `WorkerSpec` as JSON.
 */
import { setTimeout as sleep } from 'node:timers/promises';

const [built, text] = process.argv.slice(2);
const { createApp, createWorker, currentTask, locked } = await import(built);
const spec = JSON.parse(text);
const { broker, queue, capacity, lease, concurrency, drain } = spec;

/** Milliseconds on the clock that all processes of a machine share. */
const now = () => Number(process.hrtime.bigint()) / 1e6;
const tell = (...words) => process.stdout.write(`${words.join(' ')}\n`);

const coordinator = spec.coordinator ?? (capacity === undefined ? 'memory:' : undefined);
const app = createApp({ broker, queue, results: 'memory:', coordinator });
const limits = capacity === undefined ? [] : [locked(queue, capacity, { lease, countdown: 1_000 })];
app.on('task.deferred', ({ id }) => tell('deferred', id));
app.on('task.void', ({ id }) => tell('void', id));
/** How late those are that start now, in milliseconds, when they were delayed. */
const late = new Map();
app.on('task.started', (event) => late.set(event.id, event.late));
app.task('work', { limits, ignoreResult: true, maxLost: 1_000 }, async (index) => {
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
