import { startEtcd, startEtcdCluster } from './etcd.js';
import { startRabbitMq } from './rabbitmq.js';
import { startRedis } from './redis.js';
import { startRedisCluster } from './redis-cluster.js';
import { startRedisSentinel } from './redis-sentinel.js';
import type { Server } from './server.js';
import { startZooKeeper, startZooKeeperEnsemble } from './zookeeper.js';

interface Kind {
  start(): Promise<Server>;
  /** The environment variable with the URL of a server to use instead. */
  readonly variable: string;
}

/** The servers that test files may share. */
export const kinds = {
  redis: { start: () => startRedis(), variable: 'LOCKKEEPER_TEST_REDIS' },
  'redis-cluster': { start: startRedisCluster, variable: 'LOCKKEEPER_TEST_REDIS_CLUSTER' },
  'redis-sentinel': { start: startRedisSentinel, variable: 'LOCKKEEPER_TEST_REDIS_SENTINEL' },
  etcd: { start: () => startEtcd(), variable: 'LOCKKEEPER_TEST_ETCD' },
  'etcd-cluster': { start: startEtcdCluster, variable: 'LOCKKEEPER_TEST_ETCD_CLUSTER' },
  zookeeper: { start: () => startZooKeeper(), variable: 'LOCKKEEPER_TEST_ZOOKEEPER' },
  'zookeeper-ensemble': {
    start: () => startZooKeeperEnsemble(),
    variable: 'LOCKKEEPER_TEST_ZOOKEEPER_ENSEMBLE',
  },
  rabbitmq: { start: () => startRabbitMq(), variable: 'LOCKKEEPER_TEST_RABBITMQ' },
} as const satisfies Record<string, Kind>;

export type KindName = keyof typeof kinds;
