import { type Clock, systemClock } from '../clock.js';
import { ClosedError } from '../errors.js';
import type { Unsubscribe } from '../events.js';
import { Expiring } from './memory/expiring.js';
import { Groups } from './memory/groups.js';
import { Watchers } from './memory/watchers.js';
import { isFinal, type ResultStore, type StoredState } from './result-store.js';

export interface MemoryResultsOptions {
  readonly clock?: Clock;
}

/** The embedded result store: within one process, and gone with it. */
export function memoryResults(options?: MemoryResultsOptions): ResultStore {
  return new MemoryResults(options);
}

/** States are kept as text, so that whatever comes out is a copy and has been through JSON, as it has everywhere. */
export class MemoryResults implements ResultStore {
  readonly kind = 'memory';
  readonly features = { kept: true, groups: true };
  readonly #states: Expiring<{ readonly text: string; readonly final: boolean }>;
  readonly #groups: Groups;
  readonly #watchers = new Watchers();
  #closed = false;

  constructor({ clock = systemClock }: MemoryResultsOptions = {}) {
    this.#states = new Expiring(clock);
    this.#groups = new Groups(clock);
  }

  async put(id: string, state: StoredState, ttl: number): Promise<void> {
    this.#checkOpen();
    if (this.#states.get(id)?.final) return;
    const text = JSON.stringify(state);
    this.#states.set(id, { text, final: isFinal(state) }, ttl);
    this.#watchers.tell(id, text);
  }

  async get(id: string): Promise<StoredState | undefined> {
    this.#checkOpen();
    const kept = this.#states.get(id);
    return kept && stateIn(kept.text);
  }

  async watch(id: string, listener: (state: StoredState) => void): Promise<Unsubscribe> {
    this.#checkOpen();
    return this.#watchers.watch(id, (text) => (this.#closed ? undefined : listener(stateIn(text))));
  }

  async forget(id: string): Promise<void> {
    this.#checkOpen();
    this.#states.delete(id);
  }

  async join(
    group: string,
    part: { size: number; index: number; value: unknown },
    ttl: number,
  ): Promise<unknown[] | undefined> {
    this.#checkOpen();
    return this.#groups.join(group, part, ttl);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#states.clear();
    this.#groups.clear();
  }

  /**
   * States kept, with those that have expired and are not removed yet.
   *
   * @internal
   */
  get size(): number {
    return this.#states.size;
  }

  #checkOpen(): void {
    if (this.#closed) throw new ClosedError('The memory result store');
  }
}

function stateIn(text: string): StoredState {
  return JSON.parse(text) as StoredState;
}
