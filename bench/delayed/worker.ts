/** A worker for delayed tasks in a process of its own, which remembers how late they started. */
import { createApp, createWorker } from 'lockkeeper';
import { heapUsed } from '../support/heap.js';

export interface Order {
  readonly broker: string;
  readonly queue: string;
}

export interface Deeds {
  /** Of each run: which task, and how many milliseconds late. */
  readonly starts: readonly (readonly [index: number, late: number])[];
  readonly heapMb: number;
}

const starts: [number, number][] = [];

process.on('message', (order: Order | 'look') => void obey(order));

async function obey(order: Order | 'look'): Promise<void> {
  if (order !== 'look') await start(order);
  const deeds: Deeds = { starts, heapMb: heapUsed() / 2 ** 20 };
  process.send?.(deeds);
}

async function start({ broker, queue }: Order): Promise<void> {
  const app = createApp({ broker, coordinator: 'memory:' });
  let late = 0;
  app.on('task.started', (event) => {
    late = event.late ?? 0;
  });
  app.task('work', { queue, ignoreResult: true }, (index: number) => {
    // Nothing comes between what is told of a task and its start.
    starts.push([index, late]);
  });
  await createWorker(app, { concurrency: 50, queues: [queue] }).start();
  process.once('disconnect', () => void app.close().then(() => process.exit()));
}
