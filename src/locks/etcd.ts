import { checkObject } from '../check.js';
import { systemClock } from '../clock.js';
import { ConfigError } from '../errors.js';
import type { Coordinator } from './coordinator.js';
import { type EtcdClient, isEtcdClient } from './etcd/client.js';
import { etcdFromClient, etcdFromTarget } from './etcd/open.js';
import { EtcdParty } from './etcd/party.js';
import { parseEtcdUrl } from './etcd/url.js';

export type { EtcdClient } from './etcd/client.js';

export interface EtcdOptions {
  /**
   * What the names of all keys begin with. Default `lk/`: then `etcdctl lock lk/storage` and the resource `storage` exclude
   * each other.
   */
  prefix?: string;
}

/**
 * Limits in an etcd: 3.4 or later, one server or a cluster. Needs the packages `etcd3` and `cockatiel`, which are loaded at
 * the first use.
 *
 * `etcd` is a URL such as `etcd://host:2379,host:2379`, or `etcds://user:password@host?cacert=ca.pem` over TLS; or an
 * `Etcd3` of your own, which stays open when this is closed. Of that one the fault handling is yours: the default leaves a
 * server alone for five seconds after three failures, which leases of less than about ten do not survive.
 *
 * The layout in etcd is that of Go's `concurrency` package and of `etcdctl lock`.
 */
export function etcdCoordinator(etcd: string | EtcdClient, options: EtcdOptions = {}): Coordinator {
  checkObject(options, 'options', ['prefix']);
  const { prefix } = options;
  if (prefix !== undefined && typeof prefix !== 'string') {
    throw ConfigError.expected('prefix', 'a text', prefix);
  }
  if (typeof etcd === 'string') {
    const target = parseEtcdUrl(etcd);
    return new EtcdParty(etcdFromTarget(target), prefix ?? target.prefix ?? defaultPrefix, systemClock);
  }
  return new EtcdParty(etcdFromClient(checkClient(etcd)), prefix ?? defaultPrefix, systemClock);
}

const defaultPrefix = 'lk/';

/** The calls that are used go past a namespace. */
function checkClient(etcd: EtcdClient & { readonly prefix?: unknown }): EtcdClient {
  if (!isEtcdClient(etcd)) {
    throw ConfigError.expected('etcd', "a URL such as 'etcd://localhost:2379', or an Etcd3 client", etcd);
  }
  if (etcd.prefix instanceof Uint8Array && etcd.prefix.length > 0) {
    throw new ConfigError(
      'Hand over the Etcd3 client itself instead of a namespace of it, and name a `prefix`',
    );
  }
  return etcd;
}
