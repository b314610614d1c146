export type { RedisLayout } from '../locks/redis/coordinator.js';
export { type RedisCoordinatorOptions, redisCoordinator } from '../locks/redis.js';
export type { DuplicableClient, RedisClient } from '../redis/client.js';
