/** A limit for each tenant: the name of the resource comes from the arguments of the call. */
import { setTimeout as sleep } from 'node:timers/promises';
import { createApp, createWorker, locked } from 'lockkeeper';

const app = createApp({
  // A pattern speaks of every name that begins like it. Each of those names is a resource of its own.
  resources: { 'tenant:*': { capacity: 2 } },
});

const tenantOf = locked((tenant: string) => `tenant:${tenant}`);

const running: Record<string, number> = { acme: 0, globex: 0 };
const most: Record<string, number> = { acme: 0, globex: 0 };

const buildPage = app.task('build-page', tenantOf, async (tenant: string, page: number) => {
  const now = ++running[tenant]!;
  most[tenant] = Math.max(now, most[tenant]!);
  await sleep(20);
  running[tenant]!--;
  return `${tenant}, page ${page}`;
});

// Twenty slots, and yet no tenant ever has more than two of them. Pages that wait for their tenant take up no slot, so
// the many of acme do not hold up the few of globex.
await createWorker(app, { concurrency: 20 }).start();

const calls = await buildPage.delayMany([
  ...Array.from({ length: 20 }, (_, page): [string, number] => ['acme', page]),
  ['globex', 0],
  ['globex', 1],
  ['globex', 2],
]);
const pages = await Promise.all(calls.map((call) => call.get({ timeout: '10s' })));
await app.close();

const seen = Object.entries(most)
  .map(([tenant, count]) => `${tenant} ${count}`)
  .join(', ');
console.log(`${pages.length} pages; most at once: ${seen}`);
// prints: 23 pages; most at once: acme 2, globex 2
