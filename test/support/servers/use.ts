import { afterAll, beforeAll, inject } from 'vitest';
import { type EtcdOptions, startEtcd, startEtcdCluster } from './etcd.js';
import { type KindName, kinds } from './kinds.js';
import { type RabbitMqOptions, type RabbitMqServer, startRabbitMq } from './rabbitmq.js';
import { type RedisOptions, type RedisServer, startRedis } from './redis.js';
import { startRedisCluster } from './redis-cluster.js';
import { type RedisSentinel, startRedisSentinel } from './redis-sentinel.js';
import { type Ensemble, type Server, type SingleServer, startTimeoutMs } from './server.js';
import { startZooKeeper, startZooKeeperEnsemble, type ZooKeeperOptions } from './zookeeper.js';

/**
 * Servers of a test file's own, which it may freeze, kill and restart: started before its tests, stopped after them.
 * Called at the top of the file or of a `describe`; what they return may be used from `beforeAll` on.
 */

export const useRedis = (options?: RedisOptions): RedisServer => use(() => startRedis(options));
export const useRedisCluster = (): Ensemble => use(startRedisCluster);
export const useRedisSentinel = (): RedisSentinel => use(startRedisSentinel);
export const useEtcd = (options?: EtcdOptions): SingleServer => use(() => startEtcd(options));
export const useEtcdCluster = (): Ensemble => use(startEtcdCluster);
export const useZooKeeper = (options?: ZooKeeperOptions): SingleServer => use(() => startZooKeeper(options));
export const useZooKeeperEnsemble = (options?: ZooKeeperOptions): Ensemble =>
  use(() => startZooKeeperEnsemble(options));
export const useRabbitMq = (options?: RabbitMqOptions): RabbitMqServer => use(() => startRabbitMq(options));

/**
 * The URL of a server that test files share: that of its environment variable, when there is one, else of one that is
 * started when the first file asks for it. Nobody may break it, and each file keeps to names of its own.
 */
export function useShared(kind: KindName): { readonly url: string } {
  let shared: { url: string } | undefined;
  beforeAll(async () => {
    shared = { url: process.env[kinds[kind].variable] || (await sharedUrl(kind)) };
  }, useTimeoutMs);
  return later(() => shared);
}

async function sharedUrl(kind: KindName): Promise<string> {
  const answer = await fetch(`${inject('sharedServers')}/${kind}`);
  const text = await answer.text();
  if (!answer.ok) throw new Error(text);
  return text;
}

/** Longer than a server has to start, so that it is the server's error that is shown. */
const useTimeoutMs = startTimeoutMs + 30_000;

function use<S extends Server>(start: () => Promise<S>): S {
  let server: S | undefined;
  beforeAll(async () => {
    server = await start();
  }, useTimeoutMs);
  afterAll(() => server?.stop(), 30_000);
  return later(() => server);
}

/** Stands for a value that comes later, and complains when it is used before. */
function later<T extends object>(get: () => T | undefined): T {
  return new Proxy({} as T, {
    get(_, property) {
      const value = get();
      if (value === undefined)
        throw new Error(`Too early for \`${String(property)}\`: the server is not started`);
      const member: unknown = Reflect.get(value, property, value);
      return typeof member === 'function' ? member.bind(value) : member;
    },
  });
}
