import { createLocks } from 'lockkeeper';
import { zookeeperCoordinator } from 'lockkeeper/zookeeper';
import zookeeper from 'node-zookeeper-client';
import { startPython } from '../../test/support/peer.js';
import { startZooKeeper } from '../../test/support/servers/index.js';
import { newName } from './names.js';
import type { PairBench } from './pair-bench.js';
import { atLeast } from './report.js';

/** kazoo, beside us: the same pairs, in as many threads as there are keys. Prints pairs a second. */
const kazoo = `
import sys, time, threading
from kazoo.client import KazooClient
client = KazooClient(hosts=sys.argv[1])
client.start()
print('ready')
def made(kind, path):
    return client.Lock(path) if kind == 'lock' else client.Semaphore(path, max_leases=10)
for line in sys.stdin:
    kind, name, keys, each = line.split()
    locks = [made(kind, f'/kazoo/{name}-{i}') for i in range(int(keys))]
    def turn(lock, times):
        for _ in range(times):
            lock.acquire()
            lock.release()
    for lock in locks: turn(lock, 1)
    threads = [threading.Thread(target=turn, args=(lock, int(each))) for lock in locks]
    start = time.monotonic()
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    print(len(locks) * int(each) / (time.monotonic() - start))
`;

/** For pairs one after the other. */
const bars: ReturnType<PairBench['bars']> = {
  'mutex, without a token': { to: 'create and delete', bar: atLeast(0.9) },
  mutex: { to: 'create and delete', bar: atLeast(0.7) },
  'semaphore of 10': { to: 'kazoo Semaphore(10)', bar: atLeast(2) },
};

/** A server of its own, the two requests that a mutex cannot do without, and kazoo. */
export async function zookeeperPairs(): Promise<PairBench> {
  const server = await startZooKeeper();
  const hosts = server.url.replace('zk://', '');
  const raw = zookeeper.createClient(hosts, { sessionTimeout: 15_000 });
  const peer = await startPython(kazoo, hosts);
  raw.connect();
  await peer.next();
  await new Promise((resolve, reject) => raw.mkdirp('/raw', (error) => (error ? reject(error) : resolve(0))));
  const coordinators = [true, false].map((fencing) =>
    zookeeperCoordinator(server.url, { fencing, tickTime: '250ms' }),
  );
  const [locks, tokenless] = coordinators.map((coordinator) =>
    createLocks({ coordinator, resources: { 'pool-*': { capacity: 10 } } }),
  ) as [ReturnType<typeof createLocks>, ReturnType<typeof createLocks>];

  const ours = (of: typeof locks, prefix?: string) => () => {
    const name = newName(prefix);
    return async () => await (await of.acquire(name)).release();
  };
  const theirs = (kind: string) => async (keys: number, each: number) => {
    return Number(await peer.ask(`${kind} ${newName()} ${keys} ${each}`, 300_000));
  };
  return {
    cases: {
      'create and delete': { pairFor: () => () => createAndDelete(raw) },
      'mutex, without a token': { pairFor: ours(tokenless) },
      mutex: { pairFor: ours(locks) },
      'kazoo Lock': { rate: theirs('lock') },
      'semaphore of 10': { pairFor: ours(locks, 'pool') },
      'kazoo Semaphore(10)': { rate: theirs('semaphore') },
    },
    bars: (keys) => (keys === 1 ? bars : {}),
    end: async () => {
      await Promise.all([locks, tokenless].map((one) => one.close()));
      await Promise.all(coordinators.map((one) => one.close()));
      raw.close();
      await peer.end();
      await server.stop();
    },
  };
}

const ephemeralSequential = 3;

function createAndDelete(client: ReturnType<typeof zookeeper.createClient>): Promise<void> {
  return new Promise((resolve, reject) => {
    client.create('/raw/lock-', Buffer.from('owner'), ephemeralSequential, (error, path) => {
      if (error) return reject(error);
      client.remove(path, (failed) => (failed ? reject(failed) : resolve()));
    });
  });
}
