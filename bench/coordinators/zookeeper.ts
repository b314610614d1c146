import { createRequire } from 'node:module';
import { createLocks, type Locks } from 'lockkeeper';
import { zookeeperCoordinator } from 'lockkeeper/zookeeper';
import zooKeeperClient from 'node-zookeeper-client';
import { newName } from '../support/names.js';
import type { PairBench, PairCases } from '../support/pair-bench.js';
import { atLeast } from '../support/report.js';
import type { CoordinatorBench } from './bench.js';
import { hasKazoo, kazoo, startKazooPairs } from './kazoo.js';
import { acquirePair, ours } from './ours.js';
import { countCalls } from './requests.js';

const coordinatorAt = (url: string) => zookeeperCoordinator(url, { tickTime: '250ms' });

/** Locks in ZooKeeper. */
export const zookeeper: CoordinatorBench = {
  pairs,
  pairsInRound: 2_000,
  processes: 2,
  semaphores: {
    contenders: { ...(hasKazoo() && { 'kazoo Semaphore': kazoo }), semaphore: ours(coordinatorAt) },
    bars: { semaphore: { capacityUsed: atLeast(0.93) } },
  },
  mutexes: {
    contenders: { ...(hasKazoo() && { 'kazoo Lock': kazoo }), mutex: ours(coordinatorAt) },
    bars: { mutex: { capacityUsed: atLeast(0.85) } },
  },
  countRequests: countPackets,
};

/** For pairs one after the other. */
const barsBeside = (isKazooThere: boolean): ReturnType<PairBench['bars']> => ({
  'mutex, without a token': { to: 'create and delete', bar: atLeast(0.9) },
  mutex: { to: 'create and delete', bar: atLeast(0.7) },
  ...(isKazooThere && { 'semaphore of 10': { to: 'kazoo Semaphore(10)', bar: atLeast(2) } }),
});

/** The two requests that a mutex cannot do without, and kazoo. */
async function pairs(url: string): Promise<PairBench> {
  const hosts = url.replace('zk://', '');
  const raw = zooKeeperClient.createClient(hosts, { sessionTimeout: 15_000 });
  const peer = hasKazoo() ? await startKazooPairs(hosts) : undefined;
  raw.connect();
  await new Promise((resolve, reject) => raw.mkdirp('/raw', (error) => (error ? reject(error) : resolve(0))));
  const coordinators = [true, false].map((fencing) =>
    zookeeperCoordinator(url, { fencing, tickTime: '250ms' }),
  );
  const [locks, tokenless] = coordinators.map((coordinator) =>
    createLocks({ coordinator, resources: { 'pool-*': { capacity: 10 } } }),
  ) as [Locks, Locks];

  const theirs = (name: string, kind: string): PairCases => {
    const rate = async (keys: number, each: number) =>
      Number(await peer?.ask(`${kind} ${newName()} ${keys} ${each}`, 300_000));
    return peer ? { [name]: { rate } } : {};
  };
  const cases = {
    'create and delete': { pairFor: () => () => createAndDelete(raw) },
    'mutex, without a token': { pairFor: acquirePair(tokenless) },
    mutex: { pairFor: acquirePair(locks) },
    ...theirs('kazoo Lock', 'lock'),
    'semaphore of 10': { pairFor: acquirePair(locks, 'pool') },
    ...theirs('kazoo Semaphore(10)', 'semaphore'),
  };
  return {
    groups: [cases],
    bars: (keys) => (keys === 1 ? barsBeside(peer !== undefined) : {}),
    end: async () => {
      await Promise.all([locks, tokenless].map((one) => one.close()));
      await Promise.all(coordinators.map((one) => one.close()));
      raw.close();
      await peer?.end();
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
