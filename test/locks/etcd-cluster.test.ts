import { coordinatorSuite } from '../conformance/coordinator.js';
import { useShared } from '../support/servers/index.js';
import { etcdHarness } from './etcd-kit.js';

coordinatorSuite('etcd with three members', etcdHarness(useShared('etcd-cluster')));
