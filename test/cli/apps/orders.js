import { setTimeout as sleep } from 'node:timers/promises';
import { createApp, currentTask, limited, locked } from 'lockkeeper';

/** An app with a task for each thing that a worker can meet. */
export const app = createApp({
  resources: {
    storage: { capacity: 2 },
    sms: { rate: '100/m', burst: 10 },
    'tenant:*': { capacity: 3 },
  },
});

export const save = app.task('save', locked('storage'), async (/** @type {number} */ ms) => {
  await sleep(ms, undefined, { signal: currentTask().signal });
  return 'saved';
});

export const send = app.task('send', { limits: [limited('sms')], queue: 'mail' }, (to) => {
  if (to === 'nobody') throw new TypeError('there is nobody');
  return `sent to ${to}`;
});

export const build = app.task(
  'build',
  locked((tenant) => `tenant:${tenant}`),
  async (_tenant) => {},
);
