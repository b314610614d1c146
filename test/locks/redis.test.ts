import { setTimeout as sleep } from 'node:timers/promises';
import { nativeFeatures } from '../../src/locks/redis/features.js';
import { redisCoordinator } from '../../src/locks/redis.js';
import { coordinatorSuite } from '../conformance/coordinator.js';
import { useShared } from '../support/servers/index.js';
import { useKeys } from './redis-kit.js';

const server = useShared('redis');
const keys = useKeys(() => server.url);

coordinatorSuite('redis', {
  features: nativeFeatures,
  connect: async () => redisCoordinator(server.url, { prefix: keys.prefix }),
  pass: async (ms) => sleep(ms),
  name: keys.name,
  idle: keys.none,
  cleanup: keys.renew,
});
