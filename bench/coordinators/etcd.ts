import { connect } from 'node:http2';
import { Etcd3 } from 'etcd3';
import { createLocks } from 'lockkeeper';
import { newName } from '../support/names.js';
import type { PairBench } from '../support/pair-bench.js';
import { atLeast, atMost } from '../support/report.js';
import type { CoordinatorBench } from './bench.js';
import { acquirePair, ours } from './ours.js';
import { countCalls } from './requests.js';

/** Locks in etcd. */
export const etcd: CoordinatorBench = {
  pairs,
  pairsInRound: 5_000,
  processes: 2,
  semaphores: {
    contenders: { semaphore: ours() },
    bars: {
      semaphore: {
        capacityUsed: atLeast(0.93),
        coordinatorCallsPerTask: atMost(3),
        latencyP99ToP50: atMost(1.2),
      },
    },
  },
  mutexes: {
    contenders: { mutex: ours() },
    bars: {
      mutex: {
        capacityUsed: atLeast(0.85),
        coordinatorCallsPerTask: atMost(3),
        latencyP99ToP50: atMost(1.2),
      },
    },
  },
  countRequests,
};

/** Every call is a stream on its connection; what a lease or a watch says in its stream is not among them. */
function countRequests(): () => number {
  const session = connect('http://127.0.0.1:1').on('error', () => {});
  session.destroy();
  return countCalls(Object.getPrototypeOf(session), 'request');
}

/** The transaction and the delete that a lock under a lease cannot do without, and the lock of etcd3. */
async function pairs(url: string): Promise<PairBench> {
  const raw = new Etcd3({ hosts: url.replace('etcd://', '').split(',') });
  const lease = raw.lease(15);
  const id = await lease.grant();
  const locks = createLocks({ coordinator: url, resources: { 'pool-*': { capacity: 10 } } });
  const cases = {
    'transaction and delete': {
      pairFor: () => {
        const key = `raw/${newName()}`;
        return async () => {
          await raw.if(key, 'Create', '==', 0).then(raw.put(key).value('').lease(id)).commit();
          await raw.delete().key(key);
        };
      },
    },
    mutex: { pairFor: acquirePair(locks) },
    'semaphore of 10': { pairFor: acquirePair(locks, 'pool') },
    'etcd3 Lock': {
      pairFor: () => {
        const key = `theirs/${newName()}`;
        return async () => {
          const lock = raw.lock(key);
          await lock.acquire();
          await lock.release();
        };
      },
    },
  };
  return {
    groups: [cases],
    bars: () => ({ mutex: { to: 'transaction and delete', bar: atLeast(0.95) } }),
    end: async () => {
      await locks.close();
      await lease.revoke();
      raw.close();
    },
  };
}
