import { checkObject } from '../check.js';
import { ConfigError } from '../errors.js';
import { type DuplicableClient, isRedisClient } from '../redis/client.js';
import { type RedisSource, redisFromClient, redisFromUrl } from '../redis/open.js';
import type { Coordinator } from './coordinator.js';
import { RedlockCoordinator } from './redlock/coordinator.js';
import { Masters } from './redlock/masters.js';

export interface RedlockOptions {
  /** What the names of its own keys begin with. The keys that are locked are the names of resources as they are. Default `lk`. */
  prefix?: string;
}

/**
 * Mutexes on an odd number of Redis masters that know nothing of each other, three or more, each given by its URL or by a
 * client of ioredis that stays yours to close: what most of them say counts, so one may fail. Needs the packages `ioredis` and
 * `redlock`.
 *
 * Whoever locks the same keys on the same masters with a package of that kind is kept out, and keeps us out. There is no
 * fair line, and **no fencing token**: what must not be written to by somebody who was late needs another coordinator.
 *
 * Throws `ConfigError` for masters that cannot be.
 */
export function redlockCoordinator(
  masters: readonly (string | DuplicableClient)[],
  options: RedlockOptions = {},
): Coordinator {
  checkObject(options, 'options', ['prefix']);
  const sources = sourcesOf(masters);
  const pausePrefix = `${checkPrefix(options.prefix ?? 'lk')}:redlock-pause:`;
  return new RedlockCoordinator(new Masters(sources, pausePrefix), pausePrefix);
}

function sourcesOf(masters: unknown): RedisSource[] {
  if (!Array.isArray(masters) || masters.length < 3 || masters.length % 2 === 0) {
    const got = Array.isArray(masters) ? masters.length : masters;
    throw ConfigError.expected('masters', 'an odd number of masters from 3 up', got);
  }
  const sources = masters.map((master, i) => sourceOf(master, `masters[${i}]`));
  const names = sources.map(({ name }, i) => (typeof masters[i] === 'string' ? name : masters[i]));
  if (new Set(names).size < names.length) throw new ConfigError('`masters` names one master twice');
  return sources;
}

function sourceOf(master: unknown, name: string): RedisSource {
  if (typeof master !== 'string' && !isRedisClient(master)) {
    throw ConfigError.expected(name, 'the URL of a Redis, or a client of ioredis', master);
  }
  const source = typeof master === 'string' ? redisFromUrl(master) : redisFromClient(master);
  if (!source.cluster) return source;
  throw new ConfigError(`\`${name}\` is a cluster: Redlock needs masters that know nothing of each other`);
}

function checkPrefix(prefix: unknown): string {
  if (typeof prefix === 'string' && /^[\w:.-]+$/.test(prefix)) return prefix;
  throw ConfigError.expected('prefix', 'letters, digits and any of `_:.-`', prefix);
}
