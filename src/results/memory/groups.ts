import type { Clock } from '../../clock.js';
import { Expiring } from './expiring.js';

/** The parts that are there, as text by index; nothing once they were handed out. */
type Group = Map<number, string> | 'complete';

/** Groups whose parts come one by one. */
export class Groups {
  readonly #groups: Expiring<Group>;

  constructor(clock: Clock) {
    this.#groups = new Expiring(clock);
  }

  /** All the parts, in order, for the call that completes the group. */
  join(
    name: string,
    part: { size: number; index: number; value: unknown },
    ttl: number,
  ): unknown[] | undefined {
    const parts = this.#groups.get(name) ?? new Map<number, string>();
    if (parts === 'complete' || parts.has(part.index)) return undefined;
    parts.set(part.index, JSON.stringify({ value: part.value }));
    const complete = parts.size === part.size;
    // A part that is added again after this one completed the group must not begin another.
    this.#groups.set(name, complete ? 'complete' : parts, ttl);
    return complete ? Array.from({ length: part.size }, (_, index) => valueIn(parts.get(index))) : undefined;
  }

  clear(): void {
    this.#groups.clear();
  }
}

function valueIn(text = '{}'): unknown {
  return (JSON.parse(text) as { value?: unknown }).value;
}
