import { Mutex, Semaphore } from 'async-mutex';
import { createLocks } from 'lockkeeper';
import type { Contender } from '../support/contest.js';
import { newName } from '../support/names.js';
import type { PairBench, PairCases } from '../support/pair-bench.js';
import type { CoordinatorBench } from './bench.js';
import { acquirePair, ours } from './ours.js';

/** Locks in process, beside those of async-mutex. */
export const memory: CoordinatorBench = {
  pairs,
  pairsInRound: 50_000,
  processes: 1,
  semaphores: {
    contenders: {
      'async-mutex': asyncMutex(({ capacity }) => new Semaphore(capacity)),
      'locks.using': ours(),
    },
    bars: {},
  },
  mutexes: { contenders: { 'async-mutex': asyncMutex(() => new Mutex()), 'locks.using': ours() }, bars: {} },
  countRequests: () => () => 0,
};

function asyncMutex(guardFor: (where: { capacity: number }) => Mutex | Semaphore): Contender {
  return (where) => {
    const guard = guardFor(where);
    return { hold: (body) => guard.runExclusive(body), close: async () => {} };
  };
}

async function pairs(coordinator: string): Promise<PairBench> {
  const locks = createLocks({ coordinator });
  const plain: PairCases = {
    'async-mutex Mutex': {
      pairFor: () => {
        const mutex = new Mutex();
        return async () => (await mutex.acquire())();
      },
    },
    'async-mutex Semaphore(10)': {
      pairFor: () => {
        const semaphore = new Semaphore(10);
        return async () => (await semaphore.acquire())[1]();
      },
    },
    'locks.acquire': { pairFor: acquirePair(locks) },
    'locks.tryAcquire': {
      pairFor: () => {
        const name = newName();
        return async () => await (await locks.tryAcquire(name))?.release();
      },
    },
  };
  /** `using` remembers what it holds, and from its first use on Node makes every promise of the process dearer. */
  const withScope: PairCases = {
    'async-mutex runExclusive': {
      pairFor: () => {
        const mutex = new Mutex();
        return () => mutex.runExclusive(() => {});
      },
    },
    'locks.using': {
      pairFor: () => {
        const name = newName();
        return () => locks.using(name, () => {});
      },
    },
  };
  return { groups: [plain, withScope], bars: () => ({}), end: () => locks.close() };
}
