/** A worker for delayed tasks in a process of its own. */
import { openSync, writeSync } from 'node:fs';
import { createApp, createWorker } from 'lockkeeper';
import { heapUsed } from '../support/heap.js';

export interface Order {
  readonly broker: string;
  readonly queue: string;
  /** The file that it writes each run to, as a line: which task, and how many milliseconds late. What is there outlives it. */
  readonly diary: string;
}

export interface Memory {
  readonly heapMb: number;
}

process.on('message', (order: Order | 'look') => void obey(order));

async function obey(order: Order | 'look'): Promise<void> {
  if (order !== 'look') await start(order);
  const memory: Memory = { heapMb: heapUsed() / 2 ** 20 };
  process.send?.(memory);
}

async function start({ broker, queue, diary }: Order): Promise<void> {
  const file = openSync(diary, 'a');
  const app = createApp({ broker, coordinator: 'memory:' });
  let late = 0;
  app.on('task.started', (event) => {
    late = event.late ?? 0;
  });
  app.task('work', { queue, ignoreResult: true }, (index: number) => {
    // Nothing comes between what is told of a task and its start.
    writeSync(file, `${index} ${late}\n`);
  });
  await createWorker(app, { concurrency: 50, queues: [queue] }).start();
  process.once('disconnect', () => void app.close().then(() => process.exit()));
}
