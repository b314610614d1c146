import { redact } from '../check.js';
import { ConfigError } from '../errors.js';
import type { Coordinator } from './coordinator.js';
import { memoryCoordinator } from './memory.js';

const inProcess = new Map<string, Coordinator>();

/** The coordinator that is named or handed over. Throws `ConfigError` for what is neither. */
export function coordinatorFrom(value: string | Coordinator, name: string): Coordinator {
  if (typeof value === 'string') return openCoordinator(value);
  if (typeof value?.enter === 'function') return value;
  throw ConfigError.expected(name, "a URL such as 'memory:', or a coordinator", value);
}

/**
 * The coordinator a URL names. `memory:` is the one of this process: everybody who names it shares it, as everybody who
 * names a Redis shares that. `memory:NAME` is another.
 */
export function openCoordinator(url: string): Coordinator {
  if (url === 'memory' || url.startsWith('memory:')) return shared(url === 'memory' ? 'memory:' : url);
  throw new ConfigError(
    `No coordinator is known for "${redact(url)}". Name 'memory:', or hand over a coordinator object`,
  );
}

function shared(url: string): Coordinator {
  const known = inProcess.get(url);
  if (known) return known;
  const opened = memoryCoordinator();
  inProcess.set(url, opened);
  return opened;
}
