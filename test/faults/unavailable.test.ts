import { createApp, createWorker, locked } from 'lockkeeper';
import { describe, expect, it, onTestFinished } from 'vitest';
import { useEtcd, useRedis } from '../support/servers/index.js';
import { until } from '../support/until.js';

describe.each([
  ['Redis', useRedis({ persist: true })],
  ['etcd', useEtcd()],
])('while %s', (_, server) => {
  it.each(['freeze', 'kill'] as const)(
    'does not answer (%s), tasks do as their limit says, and the health of a worker tells',
    { timeout: 60_000 },
    async (what) => {
      const app = createApp({ broker: 'memory:', coordinator: server.url, callTimeout: '1s' });
      onTestFinished(() => app.close());
      const taskThat = (onUnavailable: 'run' | 'fail' | 'requeue') =>
        app.task(onUnavailable, locked(onUnavailable, { onUnavailable, countdown: 200 }), () => 'ran');
      const [run, fail, requeue] = [taskThat('run'), taskThat('fail'), taskThat('requeue')];
      const worker = createWorker(app);
      await worker.start();
      // The first waits for the client to be loaded and connected, however slow the machine.
      for (const task of [requeue, run, fail]) expect(await (await task.delay()).get()).toBe('ran');
      expect(await worker.health()).toMatchObject({ ok: true });

      await server[what]();
      const waiting = await requeue.delay();
      expect(await (await run.delay()).get()).toBe('ran');
      await expect((await fail.delay()).get()).rejects.toMatchObject({ code: 'COORDINATOR_UNAVAILABLE' });
      expect(await worker.health()).toMatchObject({
        ok: false,
        alive: true,
        coordinators: [{ reachable: false }],
      });
      await until(async () => (await app.broker.depth('default')).parked === 1);

      if (what === 'freeze') await server.thaw();
      else await server.restart();
      expect(await waiting.get({ timeout: '20s' })).toBe('ran');
      await until(async () => (await worker.health()).ok);
    },
  );
});
