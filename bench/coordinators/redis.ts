import { randomBytes } from 'node:crypto';
import { Redis } from 'ioredis';
import { createLocks } from 'lockkeeper';
import { redisCoordinator } from 'lockkeeper/redis';
import { Mutex, Semaphore } from 'redis-semaphore';
import Redlock from 'redlock';
import type { Contender, Holding, Where } from '../support/contest.js';
import { newName } from '../support/names.js';
import type { PairBench, PairCases } from '../support/pair-bench.js';
import { atLeast, atMost } from '../support/report.js';
import type { CoordinatorBench } from './bench.js';
import { acquirePair, ours } from './ours.js';
import { countCalls } from './requests.js';

export function countCommands(): () => number {
  return countCalls(Redis.prototype, 'sendCommand');
}

/** As long as it takes: all else is as the packages have it. */
const patient = { acquireTimeout: 600_000 };

/** Each of their objects is one holder, so there is one for each hold. */
function peer(lockOf: (client: Redis, where: Where) => Mutex | Semaphore): Contender {
  return (where) => {
    const client = new Redis(where.url);
    return connected(client, where.resource, async (resource, body) => {
      const lock = lockOf(client, { ...where, resource });
      await lock.acquire();
      await body();
      await lock.release();
    });
  };
}

const redlock: Contender = ({ url, resource }) => {
  const client = new Redis(url);
  const locks = new Redlock([client] as never, {} as never, {} as never);
  return connected(client, resource, async (name, body) => {
    const lock = await locks.acquire([name], lease, { retryCount: -1 } as never);
    await body();
    // It counts the lease from the beginning of the wait, and calls it an error when that is over.
    await locks.release(lock, { retryCount: 0 }).catch(() => {});
  });
};

/** It has held something else before they begin, as we have: it is connected, and the server knows its scripts. */
async function connected(
  client: Redis,
  resource: string,
  hold: (resource: string, body: () => Promise<void>) => Promise<void>,
): Promise<Holding> {
  await hold(newName(), async () => {});
  return { hold: (body) => hold(resource, body), close: async () => client.disconnect() };
}

/** Milliseconds, as of our leases. */
const lease = 15_000;

/** Locks in Redis, beside the two packages for it that are used most. */
export const redis: CoordinatorBench = {
  pairs,
  pairsInRound: 50_000,
  processes: 2,
  semaphores: {
    contenders: {
      'redis-semaphore Semaphore': peer((client, { resource, capacity }) => {
        return new Semaphore(client, resource, capacity, patient);
      }),
      native: ours(),
    },
    bars: {
      native: {
        capacityUsed: atLeast(0.97),
        coordinatorCallsPerTask: atMost(3),
        latencyP99ToP50: atMost(1.2),
      },
    },
  },
  mutexes: {
    contenders: {
      'redis-semaphore Mutex': peer((client, { resource }) => new Mutex(client, resource, patient)),
      redlock,
      native: ours(),
      string: ours((url) => redisCoordinator(url, { layout: 'string' })),
    },
    bars: {
      native: {
        capacityUsed: atLeast(0.93),
        coordinatorCallsPerTask: atMost(3),
        latencyP99ToP50: atMost(1.2),
      },
    },
  },
  countRequests: countCommands,
};

/** The two commands that a lock of this kind cannot do without. */
const bare = 'SET NX PX and EVALSHA';

async function pairs(url: string): Promise<PairBench> {
  const client = new Redis(url);
  const deletion = (await client.script('LOAD', deleteOwn)) as string;
  const single = new Redlock([client] as never, {} as never, {} as never);
  const coordinator = redisCoordinator(url);
  const locks = createLocks({
    coordinator,
    resources: { 'text-*': { layout: 'string' }, 'pool-*': { capacity: 10 } },
  });
  const mutexes: PairCases = {
    [bare]: { pairFor: () => barePair(client, deletion) },
    'string mutex': { pairFor: acquirePair(locks, 'text') },
    'native mutex': { pairFor: acquirePair(locks) },
    'redis-semaphore Mutex': { pairFor: () => theirs(() => new Mutex(client, newName())) },
    'redlock on one': { pairFor: () => redlockPair(single) },
  };
  const semaphores: PairCases = {
    'redis-semaphore Semaphore(10)': { pairFor: () => theirs(() => new Semaphore(client, newName(), 10)) },
    'native semaphore of 10': { pairFor: acquirePair(locks, 'pool') },
  };
  return {
    groups: [mutexes, semaphores],
    bars: (keys) => ({
      'string mutex': { to: bare, bar: atLeast(keys === 1 ? 0.95 : 1.2) },
      'native semaphore of 10': { to: 'redis-semaphore Semaphore(10)', bar: atLeast(1) },
    }),
    end: async () => {
      await locks.close();
      await coordinator.close();
      client.disconnect();
    },
  };
}

const deleteOwn = 'return redis.call("GET", KEYS[1]) == ARGV[1] and redis.call("DEL", KEYS[1]) or 0';

/** The least that is safe: `deletion` compares before it deletes, for the key may be another's by then. */
function barePair(client: Redis, deletion: string) {
  const name = newName();
  return async () => {
    const value = randomBytes(16).toString('hex');
    await client.set(name, value, 'PX', lease, 'NX');
    await client.evalsha(deletion, 1, name, value);
  };
}

function theirs(make: () => Mutex | Semaphore) {
  const lock = make();
  return async () => {
    await lock.acquire();
    await lock.release();
  };
}

function redlockPair(peer: Redlock) {
  const name = newName();
  return async () => {
    const lock = await peer.acquire([name], lease, { retryCount: 0 });
    await peer.release(lock, { retryCount: 0 });
  };
}
