import type { Unsubscribe } from '../events.js';

/** Who wants to be told of which claim. */
export class Listeners {
  readonly #byClaim = new Map<string, Set<() => void>>();

  get size(): number {
    return this.#byClaim.size;
  }

  add(id: string, listener: () => void): Unsubscribe {
    const call = () => listener();
    const calls = this.#byClaim.get(id) ?? new Set();
    this.#byClaim.set(id, calls.add(call));
    return () => {
      calls.delete(call);
      if (calls.size === 0 && this.#byClaim.get(id) === calls) this.#byClaim.delete(id);
    };
  }

  /** Calls everybody: something may have happened to any claim. */
  callAll(): void {
    for (const id of this.#byClaim.keys()) this.call(id);
  }

  /** Calls soon and never at once: whoever is in the middle of a step is not called into by its own step. */
  call(id: string): void {
    const calls = this.#byClaim.get(id);
    if (!calls) return;
    for (const call of calls) {
      queueMicrotask(() => {
        if (calls.has(call)) call();
      });
    }
  }
}
