import { redact } from '../check.js';
import type { Clock } from '../clock.js';
import { ConfigError } from '../errors.js';
import { memoryResults } from './memory.js';
import { redisResults } from './redis.js';
import type { ResultStore } from './result-store.js';

const shared = new Map<string, ResultStore>();

const drivers: Readonly<Record<string, (url: string) => ResultStore>> = {
  redis: redisResults,
  rediss: redisResults,
  'redis+sentinel': redisResults,
  'rediss+sentinel': redisResults,
  'redis+cluster': redisResults,
  'rediss+cluster': redisResults,
};

/**
 * The result store a URL names. `memory:` is one of its own; `memory:NAME` is shared by those who name it. Any other has
 * connections of its own.
 */
export function openResults(url: string, clock: Clock): ResultStore {
  if (url === 'memory' || url === 'memory:') return memoryResults({ clock });
  if (url.startsWith('memory:')) {
    const known = shared.get(url) ?? memoryResults({ clock });
    shared.set(url, known);
    return known;
  }
  const scheme = url.slice(0, Math.max(0, url.indexOf(':')));
  const open = Object.hasOwn(drivers, scheme) ? drivers[scheme] : undefined;
  if (open) return open(url);
  const known = ['memory', ...Object.keys(drivers)].map((name) => `${name}:`);
  throw new ConfigError(
    `No result store is known for "${redact(url)}". Name one (${known.join(', ')}), or hand over a store object`,
  );
}
