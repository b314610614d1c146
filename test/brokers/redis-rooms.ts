import { Redis } from 'ioredis';
import { createApp, createLocks, createWorker, locked } from 'lockkeeper';
import { until } from '../support/until.js';

/**
 * A task for each of many keys that somebody else holds, and workers that have a room for every key. Tells how many
 * places in lines they had at most, and how many tasks ran when the keys came free.
 */
export async function busyKeys(url: string, { keys, workers }: { keys: number; workers: number }) {
  const started = performance.now();
  const names = Array.from({ length: keys }, (_, i) => `key-${i}`);
  const others = createLocks({ coordinator: url });
  for (let from = 0; from < keys; from += 500) {
    await Promise.all(names.slice(from, from + 500).map((name) => others.acquire(name, { lease: '60s' })));
  }
  const ran = new Set<string>();
  const apps = Array.from({ length: workers }, () => createApp({ broker: url, coordinator: url }));
  const tasks = apps.map((app) => {
    const limits = [locked((key: string) => key)];
    return app.task('work', { ignoreResult: true, limits }, (key: string) => void ran.add(key));
  });
  await tasks[0]!.delayMany(names.map((name): [string] => [name]));
  await Promise.all(apps.map((app) => createWorker(app, { concurrency: 10 }).start()));

  const client = new Redis(url);
  const { broker } = apps[0]!;
  let most = 0;
  await until(async () => {
    most = Math.max(most, await placesIn(client));
    return (await broker.depth('default')).parked === keys;
  }, 120_000);
  // Doormen take turns for the places that there are.
  const parkedAt = performance.now();
  await until(async () => {
    most = Math.max(most, await placesIn(client));
    return performance.now() - parkedAt > 2_000;
  });
  await others.close();
  await until(() => ran.size === keys, 240_000);
  client.disconnect();
  await Promise.all(apps.map((app) => app.close()));
  return { ran: ran.size, most, ms: performance.now() - started };
}

/** All who stand in lines, at one moment. */
async function placesIn(client: Redis): Promise<number> {
  const count =
    "local all = 0 for _, line in ipairs(redis.call('KEYS', '*:line')) do all = all + redis.call('ZCARD', line) end return all";
  return Number(await client.eval(count, 0));
}
