import { setTimeout as sleep } from 'node:timers/promises';
import { nativeFeatures } from '../../src/locks/redis/features.js';
import { redisCoordinator } from '../../src/locks/redis.js';
import { coordinatorSuite } from '../conformance/coordinator.js';
import { useShared } from '../support/servers/index.js';
import { useKeys } from './redis-kit.js';

const cluster = useShared('redis-cluster');
const keys = useKeys(() => cluster.url);

coordinatorSuite('redis cluster', {
  features: nativeFeatures,
  connect: async () => redisCoordinator(cluster.url, { prefix: keys.prefix }),
  pass: async (ms) => sleep(ms),
  name: keys.name,
  idle: keys.none,
  cleanup: keys.renew,
});
