import { redact } from '../check.js';
import type { Clock } from '../clock.js';
import { ConfigError } from '../errors.js';
import { memoryResults } from './memory.js';
import type { ResultStore } from './result-store.js';

const shared = new Map<string, ResultStore>();

/** The result store a URL names. `memory:` is one of its own; `memory:NAME` is shared by those who name it. */
export function openResults(url: string, clock: Clock): ResultStore {
  if (url === 'memory' || url === 'memory:') return memoryResults({ clock });
  if (url.startsWith('memory:')) {
    const known = shared.get(url) ?? memoryResults({ clock });
    shared.set(url, known);
    return known;
  }
  throw new ConfigError(
    `No result store is known for "${redact(url)}". Name 'memory:', or hand over a store object`,
  );
}
