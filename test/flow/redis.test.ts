import { createApp } from 'lockkeeper';
import { withTicks } from '../locks/zookeeper-kit.js';
import { useShared } from '../support/servers/index.js';
import { flowSuite } from './suite.js';

const redis = useShared('redis');
const cluster = useShared('redis-cluster');
const etcd = useShared('etcd');
const zookeeper = withTicks(useShared('zookeeper'));

/** The lease of etcd has whole seconds, and two at least. */
const pairs = [
  { name: 'redis with its own coordinator', broker: redis, lease: 1_500, rate: true },
  { name: 'redis cluster with its own coordinator', broker: cluster, lease: 1_500, rate: true },
  { name: 'redis with memory', broker: redis, coordinator: { url: 'memory:' }, lease: 1_500, rate: true },
  { name: 'redis with etcd', broker: redis, coordinator: etcd, lease: 2_000, rate: false },
  { name: 'redis with ZooKeeper', broker: redis, coordinator: zookeeper, lease: 1_500, rate: false },
];

for (const { name, broker, coordinator, lease, rate } of pairs) {
  flowSuite(name, {
    app: async (options) => createApp({ broker: broker.url, coordinator: coordinator?.url, ...options }),
    crash: (worker) => worker.crash(),
    lease,
    rate,
  });
}
