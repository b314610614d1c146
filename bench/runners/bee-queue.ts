import Queue from 'bee-queue';
import { newName } from '../support/names.js';
import { Countdown, inThousands, type Runner } from './runner.js';

/** bee-queue: jobs are removed as they succeed, and neither sent nor heard of. */
export function beeQueue(url: string): Runner {
  const options = {
    redis: { url },
    removeOnSuccess: true,
    storeJobs: false,
    sendEvents: false,
    getEvents: false,
  };
  const name = newName('bee');
  const publisher = new Queue<{ index: number }>(name, { ...options, isWorker: false });

  let serving: Queue | undefined;

  const start = (concurrency: number, body: (index: number) => void) => {
    const worker = new Queue<{ index: number }>(name, options);
    worker.process(concurrency, async ({ data }) => body(data.index));
    return worker;
  };
  return {
    fill: (tasks) =>
      inThousands(tasks, (indices) =>
        publisher.saveAll(indices.map((index) => publisher.createJob({ index }))),
      ),
    drain: async (tasks, concurrency) => {
      const all = new Countdown(tasks);
      const worker = start(concurrency, () => {});
      worker.on('succeeded', all.one);
      await all.over;
      await worker.close();
    },
    serve: async (begun) => {
      serving = start(50, begun);
      return (index) => publisher.createJob({ index }).save();
    },
    close: async () => {
      await serving?.close();
      await publisher.close();
    },
  };
}
