import { redact } from '../check.js';
import type { Clock } from '../clock.js';
import { ConfigError } from '../errors.js';
import type { Broker } from './broker.js';
import { memoryBroker } from './memory.js';
import { redisBroker } from './redis.js';

const shared = new Map<string, Broker>();

const drivers: Readonly<Record<string, (url: string) => Broker>> = {
  redis: redisBroker,
  rediss: redisBroker,
  'redis+sentinel': redisBroker,
  'rediss+sentinel': redisBroker,
  'redis+cluster': redisBroker,
  'rediss+cluster': redisBroker,
};

/**
 * The broker a URL names. `memory:` is one of its own, for an app by itself; `memory:NAME` is shared by the apps of this
 * process that name it. Any other has connections of its own.
 */
export function openBroker(url: string, clock: Clock): Broker {
  if (url === 'memory' || url === 'memory:') return memoryBroker({ clock });
  if (url.startsWith('memory:')) {
    const known = shared.get(url) ?? memoryBroker({ clock });
    shared.set(url, known);
    return known;
  }
  const scheme = url.slice(0, Math.max(0, url.indexOf(':')));
  const open = Object.hasOwn(drivers, scheme) ? drivers[scheme] : undefined;
  if (open) return open(url);
  const known = ['memory', ...Object.keys(drivers)].map((name) => `${name}:`);
  throw new ConfigError(
    `No broker is known for "${redact(url)}". Name one (${known.join(', ')}), or hand over a broker object`,
  );
}
