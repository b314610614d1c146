import { Queue, Worker } from 'bullmq';
import { newName } from '../support/names.js';
import { Countdown, inThousands, type Runner } from './runner.js';

/** BullMQ: jobs are removed as they end, and nothing is kept of its events. */
export function bullmq(url: string): Runner {
  const { hostname: host, port } = new URL(url);
  const connection = { host, port: Number(port), maxRetriesPerRequest: null };
  const name = newName('bull');
  const opts = { removeOnComplete: true, removeOnFail: true };
  const queue = new Queue(name, { connection, streams: { events: { maxLen: 0 } } });

  let serving: Worker | undefined;

  const start = (concurrency: number, body: (index: number) => void) => {
    return new Worker<{ index: number }>(name, async ({ data }) => body(data.index), {
      connection,
      concurrency,
    });
  };
  return {
    fill: (tasks) =>
      inThousands(tasks, (indices) =>
        queue.addBulk(indices.map((index) => ({ name: 'work', data: { index }, opts }))),
      ),
    drain: async (tasks, concurrency) => {
      const all = new Countdown(tasks);
      const worker = start(concurrency, () => {});
      worker.on('completed', all.one);
      await all.over;
      await worker.close();
    },
    serve: async (begun) => {
      serving = start(50, begun);
      return (index) => queue.add('work', { index }, opts);
    },
    close: async () => {
      await serving?.close();
      await queue.close();
    },
  };
}
