export type Unsubscribe = () => void;

/**
 * Typed events. A listener that throws, or whose promise rejects, never harms what it listens to: the error is handed
 * to `onError`.
 */
export class Events<Map extends object> {
  readonly #listeners = new globalThis.Map<keyof Map, Set<(event: never) => unknown>>();
  readonly #onError: (error: unknown, name: string) => void;

  constructor(onError: (error: unknown, name: string) => void = warn) {
    this.#onError = onError;
  }

  on<K extends keyof Map>(name: K, listener: (event: Map[K]) => unknown): Unsubscribe {
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners);
    listeners.add(listener);
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.#listeners.get(name) === listeners) this.#listeners.delete(name);
    };
  }

  /** Whether anyone listens: for callers that would otherwise build an event for nobody. */
  has(name: keyof Map): boolean {
    return this.#listeners.size > 0 && this.#listeners.has(name);
  }

  emit<K extends keyof Map>(name: K, event: Map[K]): void {
    const listeners = this.#listeners.get(name);
    if (!listeners) return;
    for (const listener of [...listeners]) {
      try {
        const returned = listener(event as never);
        if (returned instanceof Promise) returned.catch((error) => this.#onError(error, String(name)));
      } catch (error) {
        this.#onError(error, String(name));
      }
    }
  }
}

function warn(error: unknown, name: string): void {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.emitWarning(`A listener of "${name}" threw: ${text}`, 'LockkeeperWarning');
}
