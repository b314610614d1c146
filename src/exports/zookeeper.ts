export type { ZooKeeperClient } from '../locks/zookeeper/client.js';
export type { LockLayout } from '../locks/zookeeper/layout.js';
export { type ZooKeeperOptions, zookeeperCoordinator } from '../locks/zookeeper.js';
