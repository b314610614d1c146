import { Redis } from 'ioredis';
import { createApp, createLocks, createWorker, locked } from 'lockkeeper';
import { until } from '../support/until.js';

/**
 * A task for each of many keys that somebody else holds, and workers that have a room for every key. Tells how many
 * places in lines there were while all were parked, and how many tasks ran when the keys came free. A place that was left
 * for another is there until Redis hears of it, so `most` may be more than the workers have; `places` is the fewest seen.
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
  await until(async () => (await broker.depth('default')).parked === keys, 120_000);
  let [most, places] = [0, Number.POSITIVE_INFINITY];
  const parkedAt = performance.now();
  // Doormen take turns for the places that there are.
  while (performance.now() - parkedAt < 2_000) {
    const seen = await placesIn(client);
    [most, places] = [Math.max(most, seen), Math.min(places, seen)];
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await others.close();
  await until(() => ran.size === keys, 240_000);
  client.disconnect();
  await Promise.all(apps.map((app) => app.close()));
  return { ran: ran.size, most, places, ms: performance.now() - started };
}

/** All who stand in lines, at one moment. */
async function placesIn(client: Redis): Promise<number> {
  const count =
    "local all = 0 for _, line in ipairs(redis.call('KEYS', '*:line')) do all = all + redis.call('ZCARD', line) end return all";
  return Number(await client.eval(count, 0));
}
