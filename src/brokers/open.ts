import { redact } from '../check.js';
import type { Clock } from '../clock.js';
import { ConfigError } from '../errors.js';
import type { Broker } from './broker.js';
import { memoryBroker } from './memory.js';

const shared = new Map<string, Broker>();

/**
 * The broker a URL names. `memory:` is one of its own, for an app by itself; `memory:NAME` is shared by the apps of this
 * process that name it.
 */
export function openBroker(url: string, clock: Clock): Broker {
  if (url === 'memory' || url === 'memory:') return memoryBroker({ clock });
  if (url.startsWith('memory:')) {
    const known = shared.get(url) ?? memoryBroker({ clock });
    shared.set(url, known);
    return known;
  }
  throw new ConfigError(
    `No broker is known for "${redact(url)}". Name 'memory:', or hand over a broker object`,
  );
}
