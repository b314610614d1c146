import type { Clock } from '../../clock.js';
import { Round } from '../../round.js';

interface Kept<V> {
  readonly key: string;
  readonly value: V;
  readonly until: number;
}

/** Looked at whenever one is added: more than one, so that what has expired is removed faster than it comes in. */
const swept = 2;

/**
 * Values that are gone after their time. No timer: what has expired is never returned, and is removed by and by as
 * others are added.
 */
export class Expiring<V> {
  readonly #clock: Clock;
  readonly #kept = new Map<string, Kept<V>>();
  /** Goes round over all of them, for a value that came first need not be gone first. */
  readonly #round = new Round(this.#kept);

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Those that have expired and are not removed yet are counted. */
  get size(): number {
    return this.#kept.size;
  }

  get(key: string): V | undefined {
    const kept = this.#kept.get(key);
    return kept && kept.until > this.#clock.now() ? kept.value : undefined;
  }

  set(key: string, value: V, ttl: number): void {
    this.#kept.set(key, { key, value, until: this.#clock.now() + ttl });
    for (let looked = 0; looked < swept; looked++) this.#sweepOne();
  }

  delete(key: string): void {
    this.#kept.delete(key);
  }

  clear(): void {
    this.#kept.clear();
  }

  #sweepOne(): void {
    const kept = this.#round.next();
    if (kept && kept.until <= this.#clock.now()) this.#kept.delete(kept.key);
  }
}
