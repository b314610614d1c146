export { type RedlockOptions, redlockCoordinator } from '../locks/redlock.js';
export type { DuplicableClient, RedisClient } from '../redis/client.js';
