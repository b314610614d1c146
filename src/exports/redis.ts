export { type RedisBrokerOptions, redisBroker } from '../brokers/redis.js';
export type { RedisLayout } from '../locks/redis/coordinator.js';
export { type RedisCoordinatorOptions, redisCoordinator } from '../locks/redis.js';
export type { DuplicableClient, RedisClient } from '../redis/client.js';
export { type RedisResultsOptions, redisResults } from '../results/redis.js';
