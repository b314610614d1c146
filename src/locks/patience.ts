import { setMaxListeners } from 'node:events';
import type { Cancel, Clock } from '../clock.js';
import type { Crowd, Member } from '../crowd.js';

export interface PatienceOptions {
  /** Gives up. */
  readonly signal?: AbortSignal;
  /** So many milliseconds, and the reason to abort with then. */
  readonly limit?: { readonly ms: number; readonly reason: () => unknown };
  /** All who wait: this one is among them until its waiting is over, to be aborted together. */
  readonly among?: Crowd<Patience>;
}

/**
 * How long something is waited for: it is over when the time is up, or when somebody gives up. Everyone who waits has one,
 * so it makes a signal only for those who need one.
 */
export class Patience implements Member {
  /** @internal For its crowd alone. */
  place = -1;
  readonly #options: PatienceOptions;
  readonly #cancel: Cancel | undefined;
  #controller: AbortController | undefined;
  #aborted = false;
  #reason: unknown;
  /** Is called once when it is over. For one at a time: whatever the waiting is for now. */
  onAbort: (() => void) | undefined;

  constructor(clock: Pick<Clock, 'after'>, options: PatienceOptions) {
    this.#options = options;
    const { signal, limit, among } = options;
    if (signal?.aborted) {
      this.abort(signal.reason);
      return;
    }
    if (signal) follow(signal, this.#onSignal);
    this.#cancel = limit && clock.after(limit.ms, () => this.abort(limit.reason()), { keepAlive: true });
    among?.add(this);
  }

  get aborted(): boolean {
    return this.#aborted;
  }

  /** Why it is over, once it is. */
  get reason(): unknown {
    return this.#reason;
  }

  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.#aborted) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  abort(reason: unknown): void {
    this.end();
    this.#aborted = true;
    this.#reason = reason;
    this.#controller?.abort(reason);
    this.onAbort?.();
  }

  /** The waiting is over. */
  end(): void {
    const { signal, among } = this.#options;
    this.#cancel?.();
    signal?.removeEventListener('abort', this.#onSignal);
    among?.delete(this);
  }

  readonly #onSignal = (): void => this.abort(this.#options.signal?.reason);
}

/** One signal may well stop a hundred waits. Node takes eleven listeners for a leak, and says so on the console. */
function follow(signal: AbortSignal, onAbort: () => void): void {
  if (signal instanceof EventTarget) setMaxListeners(0, signal);
  signal.addEventListener('abort', onAbort, { once: true });
}

/** The answer, or the reason as soon as the patience is over; an answer that comes after that is handed to `late`. */
export function orOver<T>(
  answer: Promise<T>,
  patience: Patience,
  late: (answer: T) => void = () => {},
): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => {
      answer.then(late, () => {});
      reject(patience.reason);
    };
    if (patience.aborted) return onAbort();
    patience.onAbort = onAbort;
    answer.then(
      (value) => {
        patience.onAbort = undefined;
        resolve(value);
      },
      (error) => {
        patience.onAbort = undefined;
        reject(error);
      },
    );
  });
}
