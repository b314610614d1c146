import { createApp, memoryBroker, memoryResults } from 'lockkeeper';
import { zookeeperCoordinator } from 'lockkeeper/zookeeper';
import { afterEach } from 'vitest';
import type { Coordinator } from '../../src/locks/coordinator.js';
import { tickTime } from '../locks/zookeeper-kit.js';
import { useShared } from '../support/servers/index.js';
import { flowSuite } from './suite.js';

const server = useShared('zookeeper');
const parts = { broker: memoryBroker(), results: memoryResults() };
const coordinators: Coordinator[] = [];

flowSuite('memory with ZooKeeper', {
  app: async (options) => {
    const coordinator = zookeeperCoordinator(server.url, { tickTime });
    coordinators.push(coordinator);
    return createApp({ ...parts, coordinator, ...options });
  },
  crash: (worker) => worker.crash(),
  lease: 1_000,
  rate: false,
});

// After those of the suite, which close the apps.
afterEach(async () => {
  await Promise.all(coordinators.splice(0).map((coordinator) => coordinator.close()));
});
