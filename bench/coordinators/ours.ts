import { createLocks, type Locks, type ResourceOptions } from 'lockkeeper';
import type { Coordinator } from '../../src/locks/coordinator.js';
import type { Contender, Where } from '../support/contest.js';
import { newName } from '../support/names.js';
import type { Pair } from '../support/pair-bench.js';

/** Our own pairs, each on a key of its own. */
export const acquirePair = (locks: Locks, prefix?: string) => (): Pair => {
  const name = newName(prefix);
  return async () => await (await locks.acquire(name)).release();
};

/** Us among those who contend; `coordinatorAt` makes the coordinator where a URL does not say all. */
export function ours(
  coordinatorAt: (url: string) => string | Coordinator = (url) => url,
  options: ResourceOptions = {},
): Contender {
  return async ({ url, resource, capacity }: Where) => {
    const coordinator = coordinatorAt(url);
    const limit = capacity === 1 ? {} : { capacity };
    const locks = createLocks({ coordinator, resources: { [resource]: { ...limit, ...options } } });
    // Like everybody who contends, it has its connection by the time they begin.
    await locks.using(newName('first'), async () => {});
    return {
      hold: (body) => locks.using(resource, body),
      close: async () => {
        await locks.close();
        if (typeof coordinator !== 'string') await coordinator.close();
      },
    };
  };
}
