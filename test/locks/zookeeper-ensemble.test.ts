import { coordinatorSuite } from '../conformance/coordinator.js';
import { useShared } from '../support/servers/index.js';
import { zookeeperHarness } from './zookeeper-kit.js';

const server = useShared('zookeeper-ensemble');

coordinatorSuite('zookeeper with three nodes', zookeeperHarness(server, { histories: 4 }));
