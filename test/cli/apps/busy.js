/** The app with a worker in the same process that is in the middle of something: for those who look at it. */

import { setTimeout as sleep } from 'node:timers/promises';
import { createWorker } from 'lockkeeper';
import { app, save, send } from './orders.js';

export { app };

const foreign = { task: 'nowhere', args: [{ n: 1 }], retries: 0, deferrals: 0, priority: 0, sentAt: 1 };
await app.broker.publish([{ ...foreign, id: 'foreign' }], { queue: 'default' });
for (let i = 0; i < 6; i++) await save.applyAsync([60_000], { taskId: `save-${i}` });
await send.applyAsync(['ann'], { taskId: 'sent' });
await send.applyAsync(['bob'], { taskId: 'later', countdown: '1h' });
await send.applyAsync(['cem'], { taskId: 'elsewhere', queue: 'elsewhere' });
await createWorker(app, {
  concurrency: 4,
  queues: ['default', 'mail'],
  drain: 0,
  abortGrace: '50ms',
}).start();

const isSettled = async () => {
  const { parked, apart } = await app.broker.depth('default');
  return parked === 4 && apart === 1 && (await app.result('sent').state) === 'done';
};
while (!(await isSettled())) await sleep(1);
