import { Queue } from 'bullmq';
import { createApp, locked } from 'lockkeeper';
import type { Publisher } from './crew.js';

export const ours: Publisher = {
  publish: async ({ name, broker, coordinator, tasks, capacity }) => {
    const app = createApp({ broker, coordinator, resources: { [name]: { capacity } } });
    const work = app.task('work', { queue: name, limits: [locked(name)] }, (_index: number) => {});
    await work.delayMany(Array.from({ length: tasks }, (_, index): [number] => [index]));
    await app.close();
  },
};

export const bullMq: Publisher = {
  publish: async ({ name, broker, tasks }) => {
    const { hostname: host, port } = new URL(broker);
    const queue = new Queue(name, { connection: { host, port: Number(port) } });
    const opts = { removeOnComplete: true, removeOnFail: true };
    await queue.addBulk(
      Array.from({ length: tasks }, (_, index) => ({ name: 'work', data: { index }, opts })),
    );
    await queue.close();
  },
};
