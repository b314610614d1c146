import { createApp, createWorker, locked } from 'lockkeeper';
import { newName } from '../support/names.js';
import { settled } from '../support/until.js';
import { Countdown, inThousands, type Runner } from './runner.js';

/** The limits that a task has. */
export const limits = {
  'no limit': () => [],
  'one resource with room for all': (name: string) => [locked(name, 1_000_000)],
  'a lock of its own for each task': (name: string) => [locked((index: number) => `${name}:${index}`)],
};

/** Tasks over a broker on a server. */
export function lockkeeper(broker: string, coordinator: string, kind: keyof typeof limits): Runner {
  let body: (index: number) => void = () => {};
  const queue = newName('queue');
  const app = createApp({ broker, coordinator });
  const options = { queue, ignoreResult: true, limits: limits[kind](newName()) };
  const work = app.task('work', options, (index: number) => body(index));
  return {
    fill: (tasks) =>
      inThousands(tasks, (indices) => work.delayMany(indices.map((index): [number] => [index]))),
    drain: async (tasks, concurrency) => {
      const all = new Countdown(tasks);
      body = all.one;
      const worker = createWorker(app, { concurrency, queues: [queue] });
      await worker.start();
      await all.over;
      await settled(app, queue);
      await worker.stop();
    },
    serve: async (begun) => {
      body = begun;
      await createWorker(app, { concurrency: 50, queues: [queue] }).start();
      return (index) => work.delay(index);
    },
    close: () => app.close(),
  };
}
