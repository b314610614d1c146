import { randomUUID } from 'node:crypto';
import { coordinatorSuite } from '../conformance/coordinator.js';
import { useShared } from '../support/servers/index.js';
import { zookeeperHarness } from './zookeeper-kit.js';
import { useRawZooKeeper } from './zookeeper-raw.js';

const server = useShared('zookeeper');
const raw = useRawZooKeeper(() => server.url);

/** Each test has a node of its own for its resources, and they are removed when nobody uses them any more. */
const sweeping = { layout: 'lock', parents: 'sweep' as const, prefix: `sweep-${randomUUID()}`, histories: 4 };

coordinatorSuite('zookeeper lock', {
  ...zookeeperHarness(server, sweeping),
  connect: () => zookeeperHarness(server, sweeping).connect(),
  idle: async () => (await raw.list(`/${sweeping.prefix}`)).length === 0,
  cleanup: async () => {
    sweeping.prefix = `sweep-${randomUUID()}`;
  },
});
