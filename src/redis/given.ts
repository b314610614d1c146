import { checkText } from '../check.js';
import { ConfigError } from '../errors.js';
import { type DuplicableClient, isRedisClient } from './client.js';
import { type RedisSource, redisFromClient, redisFromUrl } from './open.js';

/** The Redis that was named by its URL, or whose client was handed over. Throws `ConfigError` for what is neither. */
export function redisFrom(redis: string | DuplicableClient): RedisSource {
  if (typeof redis === 'string') return redisFromUrl(redis);
  if (!isRedisClient(redis)) throw ConfigError.expected('redis', 'a URL, or a client of ioredis', redis);
  const { keyPrefix } = (redis as { options?: { keyPrefix?: string } }).options ?? {};
  if (!keyPrefix) return redisFromClient(redis);
  throw new ConfigError('The client has a `keyPrefix`, which channels have not: say `prefix` here instead');
}

/** What the names of keys begin with. Braces would decide which of a cluster's nodes has the keys. */
export function checkPrefix(prefix: unknown): string {
  if (!/[{}]/.test(checkText(prefix, 'prefix'))) return prefix as string;
  throw ConfigError.expected('prefix', 'a text without braces', prefix);
}
