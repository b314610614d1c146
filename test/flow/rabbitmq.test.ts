import { createApp } from 'lockkeeper';
import { withTicks } from '../locks/zookeeper-kit.js';
import { useShared } from '../support/servers/index.js';
import { flowSuite } from './suite.js';

const rabbitmq = useShared('rabbitmq');
const redis = useShared('redis');
const etcd = useShared('etcd');
const zookeeper = withTicks(useShared('zookeeper'));

/** The lease of etcd has whole seconds, and two at least. */
const pairs = [
  { name: 'redis', coordinator: redis, lease: 1_500, rate: true },
  { name: 'etcd', coordinator: etcd, lease: 2_000, rate: false },
  { name: 'ZooKeeper', coordinator: zookeeper, lease: 1_500, rate: false },
];

for (const { name, coordinator, lease, rate } of pairs) {
  flowSuite(`rabbitmq with ${name}`, {
    app: async (options) => createApp({ broker: rabbitmq.url, coordinator: coordinator.url, ...options }),
    crash: (worker) => worker.crash(),
    lease,
    rate,
  });
}
