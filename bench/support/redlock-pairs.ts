import { Redis } from 'ioredis';
import { createLocks } from 'lockkeeper';
import { redlockCoordinator } from 'lockkeeper/redlock';
import Redlock from 'redlock';
import { startRedis } from '../../test/support/servers/index.js';
import { newName } from './names.js';
import type { PairBench } from './pair-bench.js';
import { atLeast } from './report.js';

/** Three masters of its own, the two commands on each of them, and the package itself. */
export async function redlockPairs(): Promise<PairBench> {
  const masters = await Promise.all([startRedis(), startRedis(), startRedis()]);
  const clients = masters.map(({ url }) => new Redis(url));
  const coordinator = redlockCoordinator(masters.map(({ url }) => url));
  const locks = createLocks({ coordinator });
  const redlock = new Redlock(clients as never, { retryCount: 0 } as never, {} as never);
  return {
    cases: {
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
            const lock = await redlock.acquire([name], 15_000, { retryCount: 0 });
            await redlock.release(lock, { retryCount: 0 });
          };
        },
      },
      mutex: {
        pairFor: () => {
          const name = newName();
          return async () => await (await locks.acquire(name)).release();
        },
      },
    },
    bars: () => ({ mutex: { to: 'redlock acquire and release', bar: atLeast(0.7) } }),
    end: async () => {
      await locks.close();
      await coordinator.close();
      for (const client of clients) client.disconnect();
      await Promise.all(masters.map((master) => master.stop()));
    },
  };
}
