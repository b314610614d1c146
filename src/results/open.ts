import type { Clock } from '../clock.js';
import { type Drivers, InMemory, openBy } from '../opening.js';
import { memoryResults } from './memory.js';
import { redisResults } from './redis.js';
import type { ResultStore } from './result-store.js';
import { rpcResults } from './rpc.js';

const inMemory = new InMemory<ResultStore>();

const drivers: Drivers<ResultStore> = {
  redis: redisResults,
  rediss: redisResults,
  'redis+sentinel': redisResults,
  'rediss+sentinel': redisResults,
  'redis+cluster': redisResults,
  'rediss+cluster': redisResults,
  amqp: rpcResults,
  amqps: rpcResults,
};

/**
 * The result store a URL names. `memory:` is one of its own; `memory:NAME` is shared by those who name it. Any other has
 * connections of its own.
 */
export function openResults(url: string, clock: Clock): ResultStore {
  return inMemory.open(url, () => memoryResults({ clock })) ?? openBy(drivers, url, 'result store');
}
