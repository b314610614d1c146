import { setTimeout as sleep } from 'node:timers/promises';
import { RedisResults } from '../../src/results/redis.js';
import { resultStoreSuite } from '../conformance/result-store.js';
import { useShared } from '../support/servers/index.js';

for (const kind of ['redis', 'redis-cluster'] as const) {
  const server = useShared(kind);
  resultStoreSuite(kind, {
    connect: async () => new RedisResults(server.url),
    pass: (ms) => sleep(ms),
  });
}
