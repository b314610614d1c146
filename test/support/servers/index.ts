export { type EtcdOptions, startEtcd, startEtcdCluster } from './etcd.js';
export { freePort, freePorts } from './ports.js';
export { type RabbitMqOptions, type RabbitMqServer, startRabbitMq } from './rabbitmq.js';
export { type RedisOptions, type RedisServer, startRedis } from './redis.js';
export { startRedisCluster } from './redis-cluster.js';
export { type RedisSentinel, startRedisSentinel } from './redis-sentinel.js';
export type { Ensemble, Server, SingleServer } from './server.js';
export {
  useEtcd,
  useEtcdCluster,
  useRabbitMq,
  useRedis,
  useRedisCluster,
  useRedisSentinel,
  useShared,
  useZooKeeper,
  useZooKeeperEnsemble,
} from './use.js';
export { startZooKeeper, startZooKeeperEnsemble, type ZooKeeperOptions } from './zookeeper.js';
