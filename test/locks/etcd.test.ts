import { coordinatorSuite } from '../conformance/coordinator.js';
import { useShared } from '../support/servers/index.js';
import { etcdHarness } from './etcd-kit.js';

const server = useShared('etcd');

coordinatorSuite('etcd', etcdHarness(server, 5));
