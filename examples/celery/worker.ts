// A worker of Lockkeeper on a queue that Celery uses too.
//
//   npx tsx examples/celery/worker.ts amqp://localhost celery

import { createApp, createWorker, locked } from 'lockkeeper';

const [broker = 'amqp://localhost', queue = 'celery'] = process.argv.slice(2);

const app = createApp({
  broker,
  results: 'rpc://', // as `backend='rpc://'` in Celery; or the Redis that is Celery's backend
  coordinator: 'memory:', // with workers on several machines: redis://, etcd:// or zk://
  queue,
  queues: { [queue]: { celery: true } },
});

// Python calls it by its name, with `to` and `subject` by their places or by their names.
app.task(
  'mail.send',
  { parameters: ['to', 'subject'], limits: [locked((to: string) => `inbox:${to}`)], retry: 3 },
  async (to: string, subject: string) => {
    if (!to.includes('@')) throw Object.assign(new Error(`${to} is no address`), { name: 'ValueError' });
    return `Node has sent "${subject}" to ${to}`;
  },
);

await createWorker(app).start();
console.log('ready');
