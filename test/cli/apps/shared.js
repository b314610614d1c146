/** An app on the servers that the environment names, for a worker and for those who ask about it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { createApp, currentTask, limited, locked } from 'lockkeeper';

export const app = createApp({
  broker: process.env.LOCKKEEPER_BROKER,
  coordinator: process.env.LOCKKEEPER_COORDINATOR,
  resources: { storage: { capacity: 2, lease: '3s' }, sms: { rate: '1/h' } },
  callTimeout: '1s',
});

export const save = app.task('save', locked('storage'), async (ms) => {
  await sleep(ms, undefined, { signal: currentTask().signal });
  return 'saved';
});

export const send = app.task('send', { limits: [limited('sms')], queue: 'mail' }, () => 'sent');

const calls = JSON.parse(process.env.LOCKKEEPER_TEST_CALLS ?? '[]');
for (const [task, argument, taskId] of calls) {
  const known = { save, send }[task];
  if (known) await known.applyAsync([argument], { taskId });
  else await app.broker.publish([strange(task, taskId)], { queue: 'default' });
}

/** A call of a task that no worker knows. */
function strange(task, id) {
  return { id, task, args: [], retries: 0, deferrals: 0, priority: 0, sentAt: Date.now() };
}
