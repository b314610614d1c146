import { checkObject, checkOneOf, checkText } from '../check.js';
import { ConfigError } from '../errors.js';
import { type DuplicableClient, isRedisClient } from '../redis/client.js';
import { type RedisSource, redisFromClient, redisFromUrl } from '../redis/open.js';
import type { Coordinator } from './coordinator.js';
import { RedisCoordinator, type RedisLayout, redisLayouts } from './redis/coordinator.js';
import { RedisService } from './redis/service.js';

export interface RedisCoordinatorOptions {
  /** What the names of its keys begin with. The keys of the layouts that others share have none. Default `lk`. */
  prefix?: string;
  /** How resources are kept that do not say. Default `native`. */
  layout?: RedisLayout;
}

/**
 * Limits in a Redis, for all who use that Redis: given its URL (`redis://`, `rediss://`, `redis+sentinel://`,
 * `redis+cluster://`), or a client of ioredis that stays yours to close. Nothing is connected before the first use.
 *
 * Throws `ConfigError` for a URL or an option that cannot be.
 */
export function redisCoordinator(
  redis: string | DuplicableClient,
  options: RedisCoordinatorOptions = {},
): Coordinator {
  checkObject(options, 'options', ['prefix', 'layout']);
  const source = sourceOf(redis);
  const prefix = checkPrefix(options.prefix ?? source.prefix ?? 'lk');
  const layout = checkOneOf(options.layout ?? 'native', 'layout', redisLayouts);
  return new RedisCoordinator(new RedisService(source, prefix), layout);
}

function sourceOf(redis: unknown): RedisSource {
  if (typeof redis === 'string') return redisFromUrl(redis);
  if (isRedisClient(redis)) return redisFromClient(redis);
  throw ConfigError.expected('redis', 'a URL, or a client of ioredis', redis);
}

/** Braces would decide which of a cluster's nodes has the keys, and blanks end a word where keys are told. */
function checkPrefix(prefix: unknown): string {
  if (/^[^\s{}]+$/.test(checkText(prefix, 'prefix'))) return prefix as string;
  throw ConfigError.expected('prefix', 'a text without blanks and braces', prefix);
}
