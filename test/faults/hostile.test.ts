import { randomUUID } from 'node:crypto';
import { createApp, createWorker, locked } from 'lockkeeper';
import { redisBroker } from 'lockkeeper/redis';
import { expect, it, onTestFinished } from 'vitest';
import { heapUsed } from '../../bench/support/heap.js';
import type { RedisBroker } from '../../src/brokers/redis.js';
import { untilDepth } from '../conformance/broker/kit.js';
import { useShared } from '../support/servers/index.js';
import { until } from '../support/until.js';

const redis = useShared('redis');

/** What somebody may put into a queue, by mistake or not: text, and messages with everything wrong that can be. */
function hostile(i: number): string {
  const good = { id: `bad-${i}`, task: 'work', args: [i], sentAt: Date.now() };
  const wrong = [
    '',
    `{"id":"bad-${i}"`,
    '['.repeat(5_000),
    `{"a":${'{"a":'.repeat(5_000)}1${'}'.repeat(5_001)}`,
    'null',
    JSON.stringify('a text'),
    '\0\u0007\uFFFD\n\r\n',
    `${JSON.stringify(good)} and more`,
    JSON.stringify({ ...good, v: 2 }),
    JSON.stringify({ ...good, v: 'one' }),
    JSON.stringify({ ...good, id: undefined }),
    JSON.stringify({ ...good, id: { toString: 'x' } }),
    JSON.stringify({ ...good, task: undefined }),
    JSON.stringify({ ...good, task: ['work'] }),
    JSON.stringify({ ...good, task: 'constructor' }),
    JSON.stringify({ ...good, task: '__proto__' }),
    JSON.stringify({ ...good, task: 'no such task' }),
    JSON.stringify({ ...good, args: 'none' }),
    JSON.stringify({ ...good, args: { length: 3 } }),
    JSON.stringify({ ...good, sentAt: 'yesterday' }),
    JSON.stringify({ ...good, retries: 'many' }),
    JSON.stringify({ ...good, priority: 'high' }),
    JSON.stringify({ ...good, eta: {} }),
    JSON.stringify({ ...good, expires: [] }),
    JSON.stringify({ ...good, shares: 7 }),
    JSON.stringify({ ...good, shares: [{ key: 'r', weight: -1 }] }),
    JSON.stringify({ ...good, shares: [{ key: 'r', weight: 1e9 }] }),
    JSON.stringify({ ...good, shares: [{ key: {}, weight: 1 }] }),
    JSON.stringify({ ...good, args: ['x'.repeat(20_000)] }),
  ];
  return wrong[i % wrong.length] as string;
}

it('10,000 malformed, oversized and hostile messages are set aside with a reason, and harm no worker', {
  timeout: 120_000,
}, async () => {
  const broker = redisBroker(redis.url, { maxMessageBytes: 16_384 }) as RedisBroker;
  const queue = `hostile-${randomUUID()}`;
  const app = createApp({ broker, queue, results: 'memory:' });
  onTestFinished(async () => {
    await app.close();
    await broker.close();
  });
  const errors: unknown[] = [];
  app.on('worker.error', ({ error }) => errors.push(error));
  const seen: unknown[] = [];
  const work = app.task(
    'work',
    locked((n: number) => `${queue}-${n % 7}`, { countdown: 500 }),
    (n: number) => {
      seen.push(n);
      return n;
    },
  );
  const worker = createWorker(app, { concurrency: 20 });
  await worker.start();
  await work.delay(-1);
  await until(() => seen.length === 1);
  const before = heapUsed();

  const count = 10_000;
  for (let i = 0; i < count; i += 500) {
    await Promise.all(Array.from({ length: 500 }, (_, n) => broker.inject(queue, hostile(i + n))));
    await work.delay(i);
  }

  await until(async () => (await broker.depth(queue)).apart === count, 60_000);
  await until(() => seen.length === 21, 30_000);
  await untilDepth(broker, queue, { apart: count });
  expect(heapUsed() - before).toBeLessThan(20 * 2 ** 20);
  const asides = await broker.aside(queue);
  expect(asides.filter(({ reason }) => reason.length < 10)).toEqual([]);
  expect(errors).toEqual([]);
  expect((await worker.health()).ok).toBe(true);
  const call = await work.delay(7);
  expect(await call.get({ timeout: '10s' })).toBe(7);
});
