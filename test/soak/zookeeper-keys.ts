/** Names that are used once, on ZooKeeper: what they leave in this process and in the server */

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { createLocks } from 'lockkeeper';
import { zookeeperCoordinator } from 'lockkeeper/zookeeper';
import { readFlags } from '../../bench/support/flags.js';
import { heapUsed } from '../../bench/support/heap.js';
import { ask } from '../support/servers/ask.js';
import { startZooKeeper } from '../support/servers/index.js';

const { names } = readFlags('Locks of distinct names, each used once, and what they leave.', {
  names: { default: 100_000, help: 'how many' },
});
const atOnce = 50;

interface Stored {
  readonly nodes: number;
  /** On the server's heap, when all garbage has been collected. */
  readonly bytes: number;
}

async function stored({ port, pid }: { readonly port: number; readonly pid: number }): Promise<Stored> {
  const answer = await ask({ port, text: 'mntr' });
  const { stdout } = await promisify(execFile)('jcmd', [String(pid), 'GC.class_histogram'], {
    maxBuffer: 100_000_000,
  });
  return {
    nodes: Number(/zk_znode_count\s+(\d+)/.exec(answer)?.[1]),
    bytes: Number(/^Total\s+\d+\s+(\d+)/m.exec(stdout)?.[1]),
  };
}

for (const parents of ['keep', 'sweep'] as const) {
  const server = await startZooKeeper();
  const coordinator = zookeeperCoordinator(server.url, { parents, tickTime: '250ms' });
  const locks = createLocks({ coordinator });
  const use = async (from: number, to: number) => {
    let next = from;
    const loop = async () => {
      for (let i = next++; i < to; i = next++) await (await locks.acquire(`account-${i}`)).release();
    };
    await Promise.all(Array.from({ length: atOnce }, loop));
  };
  await use(0, 1_000);
  const [heap, before] = [heapUsed(), await stored(server)];
  await use(1_000, 1_000 + names);
  // What is swept is removed without being waited for; it is all behind the next request.
  await locks.inspect('account-0');
  const after = await stored(server);
  const nodes = after.nodes - before.nodes;
  console.log(
    `parents: '${parents}', ${names} names: ${heapUsed() - heap} bytes more in this process, ` +
      `${nodes} nodes more on the server (${Math.round((after.bytes - before.bytes) / names)} bytes a name)`,
  );
  if (parents === 'sweep' && nodes > 100) process.exitCode = 1;
  if (heapUsed() - heap > 5_000_000) process.exitCode = 1;
  await locks.close();
  await coordinator.close();
  await server.stop();
}
