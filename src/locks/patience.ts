import type { Cancel, Clock } from '../clock.js';

/** How long something is waited for: the signal aborts when the time is up, and when one of the others does. */
export class Patience {
  readonly #controller = new AbortController();
  readonly #others: readonly AbortSignal[];
  readonly #cancel: Cancel | undefined;

  /** `limit`: so many milliseconds, and the reason to abort with then. Without it there is only what others say. */
  constructor(clock: Clock, others: readonly (AbortSignal | undefined)[], limit?: { ms: number; reason: () => unknown }) {
    this.#others = others.filter((other) => other !== undefined);
    for (const other of this.#others) other.addEventListener('abort', this.#onAbort, { once: true });
    const timeUp = () => this.#controller.abort(limit?.reason());
    this.#cancel = limit && clock.after(limit.ms, timeUp, { keepAlive: true });
    this.#onAbort();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** The waiting is over. */
  end(): void {
    this.#cancel?.();
    for (const other of this.#others) other.removeEventListener('abort', this.#onAbort);
  }

  readonly #onAbort = (): void => {
    const other = this.#others.find(({ aborted }) => aborted);
    if (!other) return;
    this.#controller.abort(other.reason);
    this.end();
  };
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
