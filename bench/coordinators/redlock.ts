import { Redis } from 'ioredis';
import { createLocks } from 'lockkeeper';
import { redlockCoordinator } from 'lockkeeper/redlock';
import Redlock from 'redlock';
import { newName } from '../support/names.js';
import type { PairBench } from '../support/pair-bench.js';
import { atLeast } from '../support/report.js';
import type { CoordinatorBench } from './bench.js';
import { acquirePair, ours } from './ours.js';
import { countCommands } from './redis.js';

/** A mutex on several masters, beside the package whose protocol it is. */
export const redlock: CoordinatorBench = {
  pairs,
  pairsInRound: 10_000,
  processes: 2,
  semaphores: { contenders: {}, bars: {} },
  mutexes: {
    // Not the package: its contenders each keep the votes that they have while they ask for the rest, a lease at a time.
    contenders: { mutex: ours((url) => redlockCoordinator(mastersOf(url))) },
    bars: {},
  },
  countRequests: countCommands,
};

/** `redlock:redis://a,redis://b,redis://c`. */
function mastersOf(url: string): string[] {
  return url.slice('redlock:'.length).split(',');
}

/** The two commands on each of the masters, and the package itself. */
async function pairs(url: string): Promise<PairBench> {
  const clients = mastersOf(url).map((master) => new Redis(master));
  const coordinator = redlockCoordinator(mastersOf(url));
  const locks = createLocks({ coordinator });
  const peer = new Redlock(clients as never, { retryCount: 0 } as never, {} as never);
  const cases = {
    'SET NX PX and DEL on each': {
      pairFor: () => {
        const name = newName();
        return async () => {
          await Promise.all(clients.map((client) => client.set(name, 'value', 'PX', 15_000, 'NX')));
          await Promise.all(clients.map((client) => client.del(name)));
        };
      },
    },
    'redlock acquire and release': {
      pairFor: () => {
        const name = newName();
        return async () => {
          const lock = await peer.acquire([name], 15_000, { retryCount: 0 });
          await peer.release(lock, { retryCount: 0 });
        };
      },
    },
    mutex: { pairFor: acquirePair(locks) },
  };
  return {
    groups: [cases],
    bars: () => ({ mutex: { to: 'redlock acquire and release', bar: atLeast(0.7) } }),
    end: async () => {
      await locks.close();
      await coordinator.close();
      for (const client of clients) client.disconnect();
    },
  };
}
