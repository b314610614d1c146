import { ConfigError } from '../errors.js';
import { type Drivers, openBy } from '../opening.js';
import { at } from '../servers.js';
import type { Coordinator } from './coordinator.js';
import { etcdCoordinator } from './etcd.js';
import { memoryCoordinator } from './memory.js';
import { redisCoordinator } from './redis.js';
import { zookeeperCoordinator } from './zookeeper.js';

/** A coordinator, and how to have done with it. */
export interface OpenCoordinator {
  readonly coordinator: Coordinator;
  /** Whoever is the last to have done with it ends it. What was handed over is its owner's to end. */
  close(): Promise<void>;
}

interface Shared {
  readonly coordinator: Coordinator;
  users: number;
}

/** Those this process has opened, by URL: whoever names the same one has the same connection and the same permits. */
const inUse = new Map<string, Shared>();

const drivers: Drivers<Coordinator> = {
  memory: () => memoryCoordinator(),
  redis: (url) => redisCoordinator(url),
  rediss: (url) => redisCoordinator(url),
  'redis+sentinel': (url) => redisCoordinator(url),
  'rediss+sentinel': (url) => redisCoordinator(url),
  'redis+cluster': (url) => redisCoordinator(url),
  'rediss+cluster': (url) => redisCoordinator(url),
  etcd: (url) => etcdCoordinator(url),
  etcds: (url) => etcdCoordinator(url),
  zk: (url) => zookeeperCoordinator(url),
};

/** The coordinator that is named or handed over. Throws `ConfigError` for what is neither. */
export function coordinatorFrom(value: string | Coordinator, name: string): OpenCoordinator {
  if (typeof value === 'string') return openCoordinator(value);
  if (typeof value?.enter === 'function') return { coordinator: value, close: async () => {} };
  throw ConfigError.expected(name, "a URL such as 'memory:', or a coordinator", value);
}

/**
 * The coordinator a URL names. `memory:` is the one of this process: everybody who names it shares it, as everybody who
 * names a Redis shares that. `memory:NAME` is another. Neither ends before the process does.
 */
export function openCoordinator(url: string): OpenCoordinator {
  const name = url === 'memory' ? 'memory:' : url;
  const shared = inUse.get(name) ?? { coordinator: at(name, openBy(drivers, name, 'coordinator')), users: 0 };
  inUse.set(name, shared);
  shared.users++;
  let closed = false;
  return {
    coordinator: shared.coordinator,
    close: async () => {
      if (closed || name.startsWith('memory:')) return;
      closed = true;
      if (--shared.users > 0) return;
      inUse.delete(name);
      await shared.coordinator.close();
    },
  };
}
