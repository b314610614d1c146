import { randomUUID } from 'node:crypto';
import { type App, type AppOptions, createApp, createWorker, locked } from 'lockkeeper';
import { afterEach, describe, expect, it } from 'vitest';
import { useShared } from '../support/servers/index.js';
import { until } from '../support/until.js';

const redis = useShared('redis');
const etcd = useShared('etcd');
const apps: App[] = [];

afterEach(async () => {
  await Promise.all(apps.splice(0).map((app) => app.close()));
});

function open(options: AppOptions): App {
  const app = createApp(options);
  apps.push(app);
  return app;
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const times = <T>(count: number, value: (n: number) => T) =>
  Array.from({ length: count }, (_, n) => value(n));

describe('several apps of one process', () => {
  it.each(['redis', 'etcd'] as const)('with brokers of their own share a resource on %s', async (kind) => {
    const coordinator = kind === 'redis' ? redis.url : etcd.url;
    const resource = `shared-${randomUUID()}`;
    const queue = randomUUID();
    let [now, most] = [0, 0];
    const body = async () => {
      most = Math.max(most, ++now);
      await pause(3);
      now--;
    };
    const brokers = ['memory:', 'memory:', redis.url, `${redis.url}?prefix=${queue}`];
    const tasks = brokers.map((broker) => {
      const app = open({ broker, coordinator, results: 'memory:', queue });
      return app.task('work', locked(resource, 2), body);
    });
    await Promise.all(apps.map((app) => createWorker(app).start()));
    const calls = await Promise.all(tasks.map((task) => task.delayMany(times(20, () => [] as []))));
    await Promise.all(calls.flat().map((call) => call.get({ timeout: '30s' })));
    expect(most).toBe(2);
  });
});

describe('a worker of several queues', () => {
  it('takes nothing of a queue it does not serve, though their tasks wait for the same resource', async () => {
    const id = randomUUID();
    const resource = `shared-${id}`;
    const [mail, reports, nightly] = [`mail-${id}`, `reports-${id}`, `nightly-${id}`];
    const ran: { task: string; by: string }[] = [];
    const side = (by: string) => {
      const routes = { 'mail.*': mail, 'reports.*': reports, 'nightly.*': nightly };
      const app = open({ broker: redis.url, queue: id, routes });
      const names = ['mail.send', 'mail.urgent', 'reports.build', 'nightly.clean'] as const;
      const tasks = names.map((task) =>
        app.task(task, locked(resource), async () => {
          ran.push({ task, by });
          await pause(2);
        }),
      );
      return { app, tasks };
    };
    const [day, night] = [side('day'), side('night')];
    await createWorker(day.app, { queues: [mail, reports] }).start();
    const blocker = await day.app.locks.acquire(resource);
    const calls = await Promise.all(day.tasks.map((task) => task.delayMany(times(10, () => [] as []))));
    const parked = async (queue: string) => (await day.app.broker.depth(queue)).parked;
    await until(async () => (await parked(mail)) === 20 && (await parked(reports)) === 10);
    expect(await day.app.broker.depth(nightly)).toMatchObject({ ready: 10, parked: 0 });

    await blocker.release();
    await until(() => ran.length === 30);
    await pause(100);
    expect(ran.filter(({ task }) => task === 'nightly.clean')).toEqual([]);
    expect(await day.app.broker.depth(nightly)).toMatchObject({ ready: 10 });

    await createWorker(night.app, { queues: [nightly] }).start();
    await Promise.all(calls.flat().map((call) => call.get({ timeout: '30s' })));
    expect(new Set(ran.map(({ task, by }) => `${task} by ${by}`))).toEqual(
      new Set(['mail.send by day', 'mail.urgent by day', 'reports.build by day', 'nightly.clean by night']),
    );
  });
});
