import { createRequire } from 'node:module';
import { createLocks, type Locks } from 'lockkeeper';
import { zookeeperCoordinator } from 'lockkeeper/zookeeper';
import zooKeeperClient from 'node-zookeeper-client';
import { startPython } from '../../test/support/peer.js';
import { newName } from '../support/names.js';
import type { PairBench } from '../support/pair-bench.js';
import { atLeast } from '../support/report.js';
import type { CoordinatorBench } from './bench.js';
import { acquirePair, ours } from './ours.js';
import { countCalls } from './requests.js';

const coordinatorAt = (url: string) => zookeeperCoordinator(url, { tickTime: '250ms' });

/** Locks in ZooKeeper. */
export const zookeeper: CoordinatorBench = {
  pairs,
  processes: 2,
  semaphores: {
    contenders: { semaphore: ours(coordinatorAt) },
    bars: { semaphore: { capacityUsed: atLeast(0.93) } },
  },
  mutexes: {
    contenders: { mutex: ours(coordinatorAt) },
    bars: { mutex: { capacityUsed: atLeast(0.85) } },
  },
  countRequests: countPackets,
};

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

/** The two requests that a mutex cannot do without, and kazoo. */
async function pairs(url: string): Promise<PairBench> {
  const hosts = url.replace('zk://', '');
  const raw = zooKeeperClient.createClient(hosts, { sessionTimeout: 15_000 });
  const peer = await startPython(kazoo, hosts);
  raw.connect();
  await peer.next();
  await new Promise((resolve, reject) => raw.mkdirp('/raw', (error) => (error ? reject(error) : resolve(0))));
  const coordinators = [true, false].map((fencing) =>
    zookeeperCoordinator(url, { fencing, tickTime: '250ms' }),
  );
  const [locks, tokenless] = coordinators.map((coordinator) =>
    createLocks({ coordinator, resources: { 'pool-*': { capacity: 10 } } }),
  ) as [Locks, Locks];

  const theirs = (kind: string) => async (keys: number, each: number) => {
    return Number(await peer.ask(`${kind} ${newName()} ${keys} ${each}`, 300_000));
  };
  const cases = {
    'create and delete': { pairFor: () => () => createAndDelete(raw) },
    'mutex, without a token': { pairFor: acquirePair(tokenless) },
    mutex: { pairFor: acquirePair(locks) },
    'kazoo Lock': { rate: theirs('lock') },
    'semaphore of 10': { pairFor: acquirePair(locks, 'pool') },
    'kazoo Semaphore(10)': { rate: theirs('semaphore') },
  };
  return {
    groups: [cases],
    bars: (keys) => (keys === 1 ? bars : {}),
    end: async () => {
      await Promise.all([locks, tokenless].map((one) => one.close()));
      await Promise.all(coordinators.map((one) => one.close()));
      raw.close();
      await peer.end();
    },
  };
}

const ephemeralSequential = 3;

function createAndDelete(client: ReturnType<typeof zooKeeperClient.createClient>): Promise<void> {
  return new Promise((resolve, reject) => {
    client.create('/raw/lock-', Buffer.from('owner'), ephemeralSequential, (error, path) => {
      if (error) return reject(error);
      client.remove(path, (failed) => (failed ? reject(failed) : resolve()));
    });
  });
}

/** What its connection is given to send: requests, and a ping now and then. */
function countPackets(): () => number {
  const require = createRequire(import.meta.url);
  return countCalls(require('node-zookeeper-client/lib/ConnectionManager.js').prototype, 'queue');
}
