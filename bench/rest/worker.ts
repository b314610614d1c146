/** A worker in a process of its own, of which it is known what it costs. Its tasks do nothing, which share what their key names. */
import { createApp, createWorker, locked, type Worker } from 'lockkeeper';
import { collect } from '../support/heap.js';

/** What it is told. Each is answered with a look at it. */
export type Order =
  | Start
  /** Look when it has run so many in all. */
  | { readonly ran: number }
  | 'look';

export interface Start {
  readonly broker: string;
  readonly coordinator: string;
  readonly queue: string;
  readonly slots: number;
  /** Of each key. */
  readonly capacity: number;
}

export interface Look {
  /** Tasks that it has run. */
  readonly ran: number;
  /** When all garbage has been collected: of objects, and of the process. */
  readonly heapMb: number;
  readonly rssMb: number;
  readonly cpuUs: number;
  /** On its own clock. */
  readonly ms: number;
}

let worker: Worker | undefined;
let ran = 0;
let onRan: (() => void) | undefined;

process.on('message', (order: Order) => void obey(order));

async function obey(order: Order): Promise<void> {
  if (order !== 'look' && 'broker' in order) await start(order);
  if (order !== 'look' && 'ran' in order) await until(order.ran);
  process.send?.(look(order === 'look'));
}

async function start({ broker, coordinator, queue, slots, capacity }: Start): Promise<void> {
  const app = createApp({ broker, coordinator });
  app.task(
    'work',
    { queue, ignoreResult: true, limits: [locked((key: string) => key, capacity)] },
    (_key: string) => {
      ran++;
      onRan?.();
    },
  );
  worker = createWorker(app, { concurrency: slots, queues: [queue] });
  await worker.start();
  process.once('disconnect', () => void app.close().then(() => process.exit()));
}

function until(count: number): Promise<void> {
  return new Promise((resolve) => {
    onRan = () => {
      if (ran < count) return;
      onRan = undefined;
      resolve();
    };
    onRan();
  });
}

function look(thoroughly: boolean): Look {
  const { user, system } = process.cpuUsage();
  if (thoroughly) collect();
  const { heapUsed, rss } = process.memoryUsage();
  return {
    ran,
    heapMb: heapUsed / 2 ** 20,
    rssMb: rss / 2 ** 20,
    cpuUs: user + system,
    ms: performance.now(),
  };
}
