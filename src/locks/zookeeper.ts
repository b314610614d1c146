import { checkFlag, checkObject, checkOneOf } from '../check.js';
import { type Duration, milliseconds } from '../duration.js';
import { ConfigError } from '../errors.js';
import type { Coordinator } from './coordinator.js';
import { ZooKeeperCoordinator } from './zookeeper/coordinator.js';
import { type LockLayout, lockLayouts } from './zookeeper/layout.js';
import { ZooKeeperService } from './zookeeper/service.js';
import { sourceOf, type ZooKeeperSourceLike } from './zookeeper/source.js';

export interface ZooKeeperOptions {
  /**
   * The name of the node that has the resources; what they are called is the name of a node below it. Default `lk`. With
   * an empty one they are at the root, or at the end of the URL: kazoo's `Lock('/locks/storage')` is `storage` of
   * `zk://host/locks?prefix=`.
   */
  prefix?: string;
  /**
   * How a mutex is kept, that is a resource without a capacity, unless its own `layout` says: `lock` as kazoo does,
   * `curator` as Curator does, `both` for whoever shares it with both. Default `lock`. Semaphores are kazoo's.
   */
  layout?: LockLayout;
  /** Whether permits have a token. Without, a mutex is had a round trip sooner. Default true. */
  fencing?: boolean;
  /**
   * What becomes of the node of a resource that nobody uses any more. `keep`: it stays, for kazoo objects do not survive
   * its removal. `sweep`: it is removed, so that names that are used once leave nothing. Default `keep`.
   */
  parents?: 'keep' | 'sweep';
  /**
   * The servers' `tickTime`. A lease is two ticks at least, and what a dead process held comes free within its lease and
   * two ticks. Default 2 s, as it stands in every sample of their configuration.
   */
  tickTime?: Duration;
}

const fields = ['prefix', 'layout', 'fencing', 'parents', 'tickTime'] as const;

/**
 * Limits kept by ZooKeeper, from version 3.5 on, in the layouts of kazoo and Curator. Needs the package
 * `node-zookeeper-client`.
 *
 * `source`: a URL `zk://user:password@host:2181,host:2181/chroot?prefix=lk&tickTime=2s`, in which any of the options may
 * stand; or a function that makes a client of
 * `node-zookeeper-client` for a session time-out in milliseconds, or one client. A client is dead when its session is over, so
 * what was handed one works no longer than that; and all leases have to be as long as its session.
 */
export function zookeeperCoordinator(
  source: ZooKeeperSourceLike,
  options: ZooKeeperOptions = {},
): Coordinator {
  checkObject(options, 'options', fields);
  const opened = sourceOf(source);
  const said = checkObject(opened.options, 'the URL', fields) as Record<string, string>;
  const prefix = checkPrefix(options.prefix ?? said.prefix ?? 'lk');
  const fencing = checkFlag(options.fencing ?? flagOf(said.fencing) ?? true, 'fencing');
  const parents = checkOneOf(options.parents ?? said.parents ?? 'keep', 'parents', ['keep', 'sweep']);
  const tick = milliseconds(options.tickTime ?? said.tickTime ?? 2_000, 'tickTime');
  const service = new ZooKeeperService({
    source: opened,
    root: `${opened.chroot}${prefix === '' ? '' : `/${prefix}`}`,
    fencing,
    tick,
    sweep: parents === 'sweep',
  });
  return new ZooKeeperCoordinator(service, {
    fencing,
    mutex: checkOneOf(options.layout ?? said.layout ?? 'lock', 'layout', lockLayouts),
    tick,
  });
}

/** As it stands in a URL. */
function flagOf(text: string | undefined): unknown {
  return text === 'true' || text === 'false' ? text === 'true' : text;
}

function checkPrefix(prefix: unknown): string {
  if (typeof prefix === 'string' && /^(?:[^/\s]+(?:\/[^/\s]+)*)?$/.test(prefix)) return prefix;
  throw ConfigError.expected('prefix', "the name of a node, such as 'lk', or nothing", prefix);
}
