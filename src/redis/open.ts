import type { Cluster, ClusterOptions, RedisOptions } from 'ioredis';
import { ConfigError } from '../errors.js';
import type { DuplicableClient, RedisClient } from './client.js';
import { type OwnClient, ownClient } from './own-client.js';
import { parseRedisUrl, type RedisTarget } from './url.js';

/** Opens clients of one Redis. */
export interface RedisSource {
  /** For messages: without any password. */
  readonly name: string;
  readonly cluster: boolean;
  /** What the names of all keys begin with, if the URL says. */
  readonly prefix?: string | undefined;
  /** The client to send commands by. */
  open(): Promise<RedisClient>;
  /** Another client, for subscriptions or for commands that block. Always closed by whoever asked for it. */
  another(options?: { silence?: number }): Promise<RedisClient>;
  /** Whether what `open` gave is to be closed by whoever asked for it. */
  readonly owned: boolean;
}

/** Milliseconds. */
export interface OpenOptions {
  /**
   * A connection on which nothing was heard for this long, with a command unanswered, is given up and made anew. It must
   * be longer than any command blocks. Default 5 s.
   */
  readonly silence?: number;
}

/**
 * How ioredis is made to fail in time.
 *
 * Nothing is sent for callers who have given up: no command waits for a connection, and none is sent again after one was
 * lost, for its caller is told instead. `RedisConnection` does the waiting, and stops when the caller's time is up.
 */
function guarded({ silence = 5_000 }: OpenOptions) {
  return {
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    connectTimeout: 5_000,
    socketTimeout: silence,
    keepAlive: 10_000,
    autoResubscribe: false,
    retryStrategy: pause,
    // After a fail-over the old master may still be connected, and answers that it is a replica now.
    reconnectOnError: (error: Error) => error.message.startsWith('READONLY'),
  };
}

/** Milliseconds before the next attempt to connect: 50 ms, doubling up to 1 s, give or take a quarter. */
function pause(attempt: number): number {
  return Math.min(1_000, 25 * 2 ** Math.min(attempt, 10)) * (0.75 + Math.random() / 2);
}

/** The source a URL names. Throws `ConfigError` for what is not one; nothing is connected yet. */
export function redisFromUrl(url: string): RedisSource {
  const target = parseRedisUrl(url);
  const open = (options: OpenOptions = {}) => connect(target, options);
  const { kind, prefix } = target;
  return { name: nameOf(target), cluster: kind === 'cluster', prefix, open, another: open, owned: true };
}

/** A client that the user opened, and will close. */
export function redisFromClient(client: DuplicableClient): RedisSource {
  return {
    name: client.isCluster ? 'the nodes of the client' : 'the server of the client',
    cluster: client.isCluster,
    open: async () => client,
    another: async ({ silence }: OpenOptions = {}) => {
      const options = { ...guarded({ silence }), keyPrefix: '' };
      return client.isCluster
        ? client.duplicate([], { keyPrefix: '', redisOptions: options })
        : client.duplicate(options);
    },
    owned: false,
  };
}

async function connect(target: RedisTarget, options: OpenOptions): Promise<RedisClient> {
  const { Own, Cluster } = await load();
  const { hosts, username, password, db } = target;
  const common = {
    ...guarded(options),
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(target.tls && { tls: {} }),
    db,
  };
  if (target.kind === 'cluster') return new Cluster([...hosts], clusterOptions(common, target));
  return new Own({ ...common, ...(target.kind === 'sentinel' ? sentinelOptions(target) : hosts[0]) });
}

function sentinelOptions(target: RedisTarget): RedisOptions {
  const { hosts, master, tls, sentinelUsername, sentinelPassword } = target;
  return {
    sentinels: [...hosts],
    name: master as string,
    ...(sentinelUsername !== undefined && { sentinelUsername }),
    ...(sentinelPassword !== undefined && { sentinelPassword }),
    ...(tls && { enableTLSForSentinelMode: true, sentinelTLS: {} }),
    sentinelCommandTimeout: 1_000,
    sentinelRetryStrategy: pause,
  };
}

/** Over TLS a name must stay a name, for that is what the certificate is for. */
function clusterOptions(redisOptions: RedisOptions, { tls }: RedisTarget): ClusterOptions {
  return {
    enableOfflineQueue: false,
    clusterRetryStrategy: pause,
    slotsRefreshTimeout: 2_000,
    redisOptions,
    ...(tls && { dnsLookup: (address, done) => done(null, address) }),
  };
}

let own: OwnClient | undefined;

async function load(): Promise<{ Own: OwnClient; Cluster: typeof Cluster }> {
  try {
    const { Redis, Cluster, AbstractConnector } = await import('ioredis');
    own ??= ownClient(Redis, AbstractConnector);
    return { Own: own, Cluster };
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new ConfigError('Redis needs the package `ioredis`: npm install ioredis', { cause: error });
  }
}

function nameOf({ kind, hosts, master }: RedisTarget): string {
  const where = hosts.map(({ host, port }) => `${host}:${port}`).join(',');
  return kind === 'sentinel' ? `${master} of ${where}` : where;
}
