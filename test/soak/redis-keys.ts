/** Locks of distinct names, each used once, and what they leave in this process and in Redis */

import { Redis } from 'ioredis';
import { createLocks } from 'lockkeeper';
import { readFlags } from '../../bench/support/flags.js';
import { heapUsed } from '../../bench/support/heap.js';
import { startRedis } from '../support/servers/index.js';
import { until } from '../support/until.js';

const { names } = readFlags('Locks of distinct names, each used once, and what they leave.', {
  names: { default: 1_000_000, help: 'how many' },
});
const atOnce = 100;
const mb = (bytes: number) => (bytes / 2 ** 20).toFixed(1);

const server = await startRedis();
const client = new Redis(server.url);
const locks = createLocks({ coordinator: server.url });
const onServer = async () => {
  await client.call('memory', 'purge');
  return Number(/^used_memory:(\d+)/m.exec(await client.info('memory'))?.[1]);
};

let used = 0;
async function use(more: number): Promise<void> {
  const end = used + more;
  const loop = async () => {
    while (used < end) await locks.using(`account-${used++}`, () => {});
  };
  await Promise.all(Array.from({ length: atOnce }, loop));
  await until(async () => (await client.dbsize()) === 0, 30_000);
}

await use(10_000);
const [heap, memory] = [heapUsed(), await onServer()];
const start = performance.now();
await use(names);
const seconds = (performance.now() - start) / 1_000;
const [heapNow, memoryNow] = [heapUsed(), await onServer()];
console.log(`${names} names in ${seconds.toFixed(0)} s; no key is left`);
console.log(`this process: ${mb(heap)} MB of heap before, ${mb(heapNow)} MB after`);
console.log(`the server: ${mb(memory)} MB before, ${mb(memoryNow)} MB after`);
const wrong = heapNow > heap + 5 * 2 ** 20 || memoryNow > memory + 5 * 2 ** 20;
process.exitCode = wrong ? 1 : 0;
await locks.close();
client.disconnect();
await server.stop();
