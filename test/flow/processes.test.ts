import { withTicks } from '../locks/zookeeper-kit.js';
import { useShared } from '../support/servers/index.js';
import { processesSuite } from './processes.js';

const redis = useShared('redis');
const cluster = useShared('redis-cluster');
const etcd = useShared('etcd');
const zookeeper = withTicks(useShared('zookeeper'));

processesSuite('redis with its own coordinator', { broker: () => redis.url, lease: 1_500, ordered: true });
processesSuite('redis cluster with its own coordinator', {
  broker: () => cluster.url,
  lease: 1_500,
  ordered: true,
});
/** A lease of etcd has whole seconds, two at least, and etcd ends it when it next looks. */
processesSuite('redis with etcd', {
  broker: () => redis.url,
  coordinator: () => etcd.url,
  lease: 2_000,
  later: 1_000,
  ordered: true,
});
/** The servers of tests have ticks of 250 ms, and end sessions at them. */
processesSuite('redis with ZooKeeper', {
  broker: () => redis.url,
  coordinator: () => zookeeper.url,
  lease: 1_500,
  later: 500,
  ordered: true,
});
