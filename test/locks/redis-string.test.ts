import { setTimeout as sleep } from 'node:timers/promises';
import { stringFeatures } from '../../src/locks/redis/features.js';
import { redisCoordinator } from '../../src/locks/redis.js';
import { coordinatorSuite } from '../conformance/coordinator.js';
import { useShared } from '../support/servers/index.js';
import { useKeys } from './redis-kit.js';

const server = useShared('redis');
// The keys are the resources' names as they are, so they are kept from others in a database of their own.
const keys = useKeys(() => `${server.url}/1`);

coordinatorSuite('redis string', {
  features: stringFeatures,
  connect: async () => redisCoordinator(`${server.url}/1`, { layout: 'string', prefix: keys.prefix }),
  pass: async (ms) => sleep(ms),
  name: keys.name,
  idle: keys.none,
  cleanup: keys.renew,
});
