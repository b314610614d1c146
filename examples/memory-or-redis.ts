/**
 * The same program in memory and on servers, by two environment variables:
 *
 *     npx tsx examples/memory-or-redis.ts
 *     LOCKKEEPER_BROKER=redis://localhost npx tsx examples/memory-or-redis.ts
 *     LOCKKEEPER_BROKER=redis://localhost LOCKKEEPER_COORDINATOR=etcd://localhost:2379 npx tsx examples/memory-or-redis.ts
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { createApp, createWorker, locked } from 'lockkeeper';

const app = createApp({
  broker: process.env.LOCKKEEPER_BROKER, // 'memory:' when unset
  coordinator: process.env.LOCKKEEPER_COORDINATOR, // the broker's own when unset
  queue: 'examples',
  resources: { storage: { capacity: 2 } },
});

let [writing, most] = [0, 0];
const save = app.task('save', locked('storage'), async (name: string) => {
  most = Math.max(most, ++writing);
  await sleep(100);
  writing--;
  return `${name} is saved`;
});

// On a server this may as well be another program, on another machine: npx lockkeeper worker ./dist/app.js
await createWorker(app).start();

const calls = await save.delayMany([['a'], ['b'], ['c'], ['d'], ['e']]);
const saved = await Promise.all(calls.map((call) => call.get({ timeout: '10s' })));
await app.close();

console.log(`${saved.join(', ')}; ${most} at once`);
// prints: a is saved, b is saved, c is saved, d is saved, e is saved; 2 at once
