// Calls a task of a Celery worker.
//
//   npx tsx examples/celery/call.ts amqp://localhost celery

import { createApp } from 'lockkeeper';

const [broker = 'amqp://localhost', queue = 'celery'] = process.argv.slice(2);

const app = createApp({
  broker,
  results: 'rpc://',
  coordinator: 'memory:',
  queues: { [queue]: { celery: true } },
});

const total = app.remote<[prices: number[]], number>('reports.total', { queue });

const call = await total.delay([3, 4, 5]);
console.log(`Python has counted ${await call.get({ timeout: '30s' })}`);

const failing = await total.applyAsync([[]], { countdown: '100ms' });
try {
  await failing.get({ timeout: '30s' });
} catch (error) {
  console.log(`Python has raised ${error}`); // the name, the message, and Python's traceback as its stack
}
await app.close();
