import { createApp, memoryBroker, memoryCoordinator, memoryResults } from 'lockkeeper';
import { useShared } from '../support/servers/index.js';
import { flowSuite } from './suite.js';

const parts = { broker: memoryBroker(), results: memoryResults() };
const memory = memoryCoordinator();
const redis = useShared('redis');
const cluster = useShared('redis-cluster');
const etcd = useShared('etcd');

/** The lease of etcd has whole seconds, and two at least. */
const pairs = [
  { name: 'memory with memory', coordinator: () => memory, lease: 1_000, rate: true },
  { name: 'memory with redis', coordinator: () => redis.url, lease: 1_500, rate: true },
  { name: 'memory with redis cluster', coordinator: () => cluster.url, lease: 1_500, rate: true },
  { name: 'memory with etcd', coordinator: () => etcd.url, lease: 2_000, rate: false },
];

for (const { name, coordinator, lease, rate } of pairs) {
  flowSuite(name, {
    app: async (options) => createApp({ ...parts, coordinator: coordinator(), ...options }),
    crash: (worker) => worker.crash(),
    lease,
    rate,
  });
}
