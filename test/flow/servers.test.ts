import { createApp, createWorker, locked } from 'lockkeeper';
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { useRedis, useRedisSentinel } from '../support/servers/index.js';
import { trustAnyServer } from '../support/trust.js';
import { until } from '../support/until.js';

/** An app whose messages, limits and results are behind one URL. */
async function appOn(broker: string) {
  const app = createApp({ broker, callTimeout: '1s' });
  onTestFinished(() => app.close());
  const square = app.task('square', locked('squares', 2), async (n: number) => n * n);
  const worker = createWorker(app, { lease: '2s', drain: 0 });
  await worker.start();
  const run = async (n: number) => await (await square.delay(n)).get({ timeout: '10s' });
  return { app, run };
}

describe('an app with one URL for all', () => {
  describe('over TLS, with a password', () => {
    const server = useRedis({ tls: true, password: 'p@ss/word' });

    trustAnyServer();

    it('runs tasks under limits, and gives their results', async () => {
      const { run } = await appOn(server.url);
      expect(await Promise.all([1, 2, 3, 4].map(run))).toEqual([1, 4, 9, 16]);
    });
  });

  describe('behind Sentinels', () => {
    const sentinel = useRedisSentinel();

    it('runs tasks, and does so again when the master is replaced', { timeout: 90_000 }, async () => {
      const { app, run } = await appOn(sentinel.url);
      app.on('worker.error', () => {});
      expect(await run(3)).toBe(9);

      await (await sentinel.currentMaster())!.kill();

      await until(async () => (await run(4)) === 16, 60_000);
      expect(await Promise.all([5, 6, 7].map(run))).toEqual([25, 36, 49]);
    });
  });

  describe('on a Redis that may throw keys away', () => {
    const server = useRedis({ settings: { 'maxmemory-policy': 'allkeys-lru' } });

    afterEach(() => vi.restoreAllMocks());

    it('is warned of it', async () => {
      const warned = vi.spyOn(process, 'emitWarning').mockReturnValue();
      const { run } = await appOn(server.url);
      expect(await run(2)).toBe(4);
      await until(() => warned.mock.calls.length > 0);
      expect(warned.mock.calls.map(([text]) => text)).toEqual([
        expect.stringMatching(/maxmemory-policy "allkeys-lru" and may throw locks and messages away/),
      ]);
    });
  });
});
