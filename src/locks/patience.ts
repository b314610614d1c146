import { setMaxListeners } from 'node:events';
import type { Cancel, Clock } from '../clock.js';

export interface PatienceOptions {
  /** Gives up. */
  readonly signal?: AbortSignal;
  /** So many milliseconds, and the reason to abort with then. */
  readonly limit?: { readonly ms: number; readonly reason: () => unknown };
  /** All who wait: this one is among them until its waiting is over, to be aborted together. */
  readonly among?: Set<Patience>;
}

/** How long something is waited for: its signal aborts when the time is up, or when somebody gives up. */
export class Patience {
  readonly #controller = new AbortController();
  readonly #options: PatienceOptions;
  readonly #cancel: Cancel | undefined;

  constructor(clock: Clock, options: PatienceOptions) {
    this.#options = options;
    const { signal, limit, among } = options;
    if (signal?.aborted) {
      this.#controller.abort(signal.reason);
      return;
    }
    if (signal) follow(signal, this.#onAbort);
    this.#cancel = limit && clock.after(limit.ms, () => this.abort(limit.reason()), { keepAlive: true });
    among?.add(this);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  abort(reason: unknown): void {
    this.end();
    this.#controller.abort(reason);
  }

  /** The waiting is over. */
  end(): void {
    const { signal, among } = this.#options;
    this.#cancel?.();
    signal?.removeEventListener('abort', this.#onAbort);
    among?.delete(this);
  }

  readonly #onAbort = (): void => this.abort(this.#options.signal?.reason);
}

/** One signal may well stop a hundred waits. Node takes eleven listeners for a leak, and says so on the console. */
function follow(signal: AbortSignal, onAbort: () => void): void {
  if (signal instanceof EventTarget) setMaxListeners(0, signal);
  signal.addEventListener('abort', onAbort, { once: true });
}

/** The answer, or the signal's reason as soon as it aborts; an answer that comes after that is handed to `late`. */
export function orAborted<T>(answer: Promise<T>, signal: AbortSignal, late: (answer: T) => void = () => {}): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => {
      answer.then(late, () => {});
      reject(signal.reason);
    };
    if (signal.aborted) return onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    const unlessAborted = (end: () => void) => {
      signal.removeEventListener('abort', onAbort);
      if (!signal.aborted) end();
    };
    answer.then(
      (value) => unlessAborted(() => resolve(value)),
      (error) => unlessAborted(() => reject(error)),
    );
  });
}
