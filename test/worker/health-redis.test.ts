import { randomUUID } from 'node:crypto';
import { createApp, createWorker, type Health } from 'lockkeeper';
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
  const seen: Health[] = [];
  await until(async () => seen.push(await look()) && (seen.at(-1)?.broker.silence ?? 0) > 8_000, 20_000);
  expect(seen.filter(({ alive }) => !alive)).toEqual([]);
  expect(seen.at(-1)).toMatchObject({
    ok: false,
    broker: { kind: 'redis', reachable: false },
    coordinators: [{ kind: 'redis', reachable: false }],
    problems: expect.arrayContaining([expect.stringMatching(/^The redis broker is unavailable/)]),
  });

  await redis.thaw();
  await until(async () => seen.push(await look()) && seen.at(-1)?.ok, 20_000);
  expect(seen.filter(({ alive }) => !alive)).toEqual([]);
  await app.close();
}, 60_000);
