/** Locks of distinct names, each used once, and what they leave in this process and in etcd */

import { createLocks } from 'lockkeeper';
import { readFlags } from '../../bench/support/flags.js';
import { heapUsed } from '../../bench/support/heap.js';
import { compact } from '../faults/etcd-stage.js';
import { hostsOf, rawClient } from '../locks/etcd-kit.js';
import { startEtcd } from '../support/servers/index.js';
import { until } from '../support/until.js';

const { names } = readFlags('Locks of distinct names, each used once, and what they leave.', {
  names: { default: 100_000, help: 'how many' },
});
const atOnce = 100;
const mb = (bytes: number) => (bytes / 2 ** 20).toFixed(1);

const server = await startEtcd();
const raw = rawClient(server.url);
const locks = createLocks({ coordinator: server.url });

/** What etcd has on its heap, in bytes, garbage included. */
async function heapOfServer(): Promise<number> {
  const [host] = hostsOf(server.url);
  const metrics = await (await fetch(`${host}/metrics`)).text();
  return Number(/^go_memstats_heap_alloc_bytes (\S+)/m.exec(metrics)?.[1]);
}

/** Its history is compacted, and its file is rewritten without the holes. */
async function sizeOfFile(): Promise<number> {
  await compact({ nodes: [server] });
  await raw.maintenance.defragment();
  const { dbSize } = await raw.maintenance.status();
  return Number(dbSize);
}

let used = 0;
async function use(more: number): Promise<void> {
  const end = used + more;
  const loop = async () => {
    while (used < end) await locks.using(`account-${used++}`, () => {});
  };
  await Promise.all(Array.from({ length: atOnce }, loop));
  await until(async () => (await raw.getAll().prefix('lk/').keys()).length === 0, 30_000);
}

await use(5_000);
const before = { heap: heapUsed(), file: await sizeOfFile(), server: await heapOfServer() };
const start = performance.now();
await use(names);
const seconds = (performance.now() - start) / 1_000;
const peak = await heapOfServer();
const heap = heapUsed();
const file = await sizeOfFile();
// A Go program collects its garbage every two minutes at the latest.
const base = before.server + 10 * 2 ** 20;
await until(async () => (await heapOfServer()) < base, 150_000).catch(() => {});
const left = await heapOfServer();
console.log(`${names} names in ${seconds.toFixed(0)} s; no key is left`);
console.log(`this process: ${mb(before.heap)} MB of heap before, ${mb(heap)} MB after`);
console.log(
  `the server: ${mb(before.server)} MB of heap before, ${mb(peak)} MB at the end, ${mb(left)} MB when compacted`,
);
console.log(`its file: ${mb(before.file)} MB before, ${mb(file)} MB when compacted`);
const wrong = heap > before.heap + 5 * 2 ** 20 || left > base || file > before.file + 2 ** 20;
process.exitCode = wrong ? 1 : 0;
await locks.close();
raw.close();
await server.stop();
