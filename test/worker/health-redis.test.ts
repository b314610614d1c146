import { randomUUID } from 'node:crypto';
import { createApp, createWorker } from 'lockkeeper';
import { expect, it } from 'vitest';
import { useRedis } from '../support/servers/index.js';
import { until } from '../support/until.js';

const redis = useRedis();

it('a worker on a Redis that stands still is alive and not well, and well again when it goes on', async () => {
  const app = createApp({ broker: `${redis.url}?prefix=${randomUUID()}`, callTimeout: '500ms' });
  app.on('worker.error', () => {});
  app.task('save', () => {});
  const worker = createWorker(app, { lease: '2s' });
  await worker.start();
  const look = () => worker.health({ within: '2s' });
  await until(async () => (await look()).ok);

  await redis.freeze();
  await until(async () => {
    const { problems } = await look();
    return problems.some((problem) => problem.startsWith('the redis broker has not answered for'));
  }, 20_000);
  expect(await look()).toMatchObject({ ok: false, alive: true, coordinators: [{ reachable: false }] });
  expect((await look()).broker.silence).toBeGreaterThan(2_000);

  await redis.thaw();
  await until(async () => (await look()).ok, 20_000);
  await app.close();
}, 60_000);
