import type { Contender } from '../support/contest.js';
import type { PairBench } from '../support/pair-bench.js';
import type { Bars } from '../support/report.js';

/** What a coordinator is measured beside. To measure one more, add it to `benchOf`. */
export interface CoordinatorBench {
  /** Acquires and releases what nobody else wants: the peers on this server, and us. */
  pairs(url: string): Promise<PairBench>;
  /** Unless it is said: as many as take some seconds. */
  readonly pairsInRound: number;
  /** Hold a resource of several shares, in turns with each other. The first is what the others are compared with. */
  readonly semaphores: Contest;
  /** Hold a mutex. */
  readonly mutexes: Contest;
  /** Begins to count what this process asks of the server. The result tells how many requests there were until then. */
  countRequests(): () => number;
  /** Of those who contend. One where nothing leaves the process. */
  readonly processes: number;
}

export interface Contest {
  readonly contenders: Readonly<Record<string, Contender>>;
  /** By contender. */
  readonly bars: Readonly<Record<string, Bars>>;
}

const benches: Readonly<Record<string, () => Promise<CoordinatorBench>>> = {
  memory: async () => (await import('./memory.js')).memory,
  redis: async () => (await import('./redis.js')).redis,
  rediss: async () => (await import('./redis.js')).redis,
  redlock: async () => (await import('./redlock.js')).redlock,
  etcd: async () => (await import('./etcd.js')).etcd,
  zk: async () => (await import('./zookeeper.js')).zookeeper,
};

/** By the URL of the server, or `memory`. */
export async function benchOf(coordinator: string): Promise<CoordinatorBench> {
  const [scheme = ''] = coordinator.split(':');
  const bench = benches[scheme];
  if (bench) return await bench();
  throw Object.assign(
    new Error(`Expected a coordinator with one of ${Object.keys(benches).join(', ')}, got "${coordinator}"`),
    { code: 'CONFIG' },
  );
}
