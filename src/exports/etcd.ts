export { type EtcdClient, type EtcdOptions, etcdCoordinator } from '../locks/etcd.js';
