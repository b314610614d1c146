import { redact } from './check.js';
import { ConfigError } from './errors.js';

/** What opens a part, by the scheme of its URL. */
export type Drivers<P> = Readonly<Record<string, (url: string) => P>>;

/** Opens what the URL names. `what` is that, for people; `ConfigError` says which schemes there are. */
export function openBy<P>(drivers: Drivers<P>, url: string, what: string): P {
  const scheme = url.slice(0, Math.max(0, url.indexOf(':')));
  const open = Object.hasOwn(drivers, scheme) ? drivers[scheme] : undefined;
  if (open) return open(url);
  const known = [...new Set(['memory', ...Object.keys(drivers)])].map((name) => `${name}:`);
  throw new ConfigError(
    `No ${what} is known for "${redact(url)}". Name one (${known.join(', ')}), or hand over a ${what} object`,
  );
}

/** What is in memory: `memory:` is one of its own, `memory:NAME` is shared by those of this process who name it. */
export class InMemory<P> {
  readonly #named = new Map<string, P>();

  /** Nothing when the URL is of something else. */
  open(url: string, make: () => P): P | undefined {
    if (url === 'memory' || url === 'memory:') return make();
    if (!url.startsWith('memory:')) return undefined;
    const part = this.#named.get(url) ?? make();
    this.#named.set(url, part);
    return part;
  }
}
