import { RedisBroker } from '../../src/brokers/redis.js';
import { useRedis } from '../support/servers/index.js';
import { brokerFaultSuite } from './broker/suite.js';

brokerFaultSuite('the redis broker', {
  server: useRedis({ persist: true }),
  connect: (url) => new RedisBroker(url),
  keepsHand: true,
  marker: 'evalsha',
});
