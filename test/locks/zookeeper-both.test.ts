import { coordinatorSuite } from '../conformance/coordinator.js';
import { useShared } from '../support/servers/index.js';
import { zookeeperHarness } from './zookeeper-kit.js';

const server = useShared('zookeeper');

coordinatorSuite('zookeeper both', zookeeperHarness(server, { layout: 'both', histories: 4 }));
