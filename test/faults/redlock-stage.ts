import { randomUUID } from 'node:crypto';
import { createLocks, type Locks } from 'lockkeeper';
import { redlockCoordinator } from 'lockkeeper/redlock';
import type { Coordinator } from '../../src/locks/coordinator.js';
import { startProxy, type TcpProxy } from '../support/proxy.js';

/** Milliseconds. */
export const lease = 1_500;

/** How its loads go: they have no tokens, and leave room for those who poll. */
export const loadOptions = { rest: 100, fencing: false };

/** What a master needs, so that it has not forgotten after a restart what it granted. */
export const masterOptions = { persist: true };

/** A process's worth of locks, which reaches each master through a proxy of its own. */
export interface Side {
  readonly coordinator: Coordinator;
  readonly locks: Locks;
  readonly proxies: readonly TcpProxy[];
  close(): Promise<void>;
}

export async function startSide(masters: readonly { readonly url: string }[]): Promise<Side> {
  const proxies = await Promise.all(masters.map(({ url }) => startProxy(url)));
  const coordinator = redlockCoordinator(proxies.map((proxy, i) => proxy.url(masters[i]!.url)));
  const locks = createLocks({ coordinator, resources: { '*': { lease } } });
  return {
    coordinator,
    locks,
    proxies,
    close: async () => {
      await locks.close();
      await coordinator.close();
      for (const proxy of proxies) proxy.stop();
    },
  };
}

export const newName = () => `redlock-${randomUUID()}`;
