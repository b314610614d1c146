import { checkObject } from '../check.js';
import type { Clock } from '../clock.js';
import { type Duration, milliseconds } from '../duration.js';
import {
  ClosedError,
  ConfigError,
  ResultTimeoutError,
  TaskExpiredError,
  TaskRevokedError,
  TaskSetAsideError,
  TaskSkippedError,
} from '../errors.js';
import type { Unsubscribe } from '../events.js';
import { fromRemoteError } from '../message.js';
import { isFinal, type ResultStore, type StoredState } from '../results/result-store.js';

/** `pending` is also what is not known: not sent, or kept no longer. */
export type TaskState = 'pending' | StoredState['state'];

export interface ResultSource {
  readonly clock: Clock;
  readonly results: ResultStore;
  readonly revoke: (id: string) => Promise<void>;
  /** Calls back when no result can come any more, at once if it is so. */
  readonly onClosed: (listener: () => void) => Unsubscribe;
}

/** One call of a task, seen from its caller. */
export class TaskResult<R = unknown> {
  readonly id: string;
  readonly #source: ResultSource;

  constructor(id: string, source: ResultSource) {
    this.id = id;
    this.#source = source;
  }

  /**
   * What the task returned. Rejects with what it threw (same name, message and stack), or with `TaskSkippedError`,
   * `TaskRevokedError`, `TaskExpiredError`, `TaskSetAsideError`; with `ResultTimeoutError` when none of that came within
   * `timeout` (default: none), with the signal's reason when it aborts, and with `ClosedError` when the app closes.
   */
  async get(options: { timeout?: Duration; signal?: AbortSignal } = {}): Promise<R> {
    checkObject(options, 'options', ['timeout', 'signal']);
    const { signal } = options;
    if (signal !== undefined && typeof signal?.aborted !== 'boolean') {
      throw ConfigError.expected('signal', 'an AbortSignal', signal);
    }
    const timeout = options.timeout === undefined ? undefined : milliseconds(options.timeout, 'timeout');
    return outcomeOf<R>(this.id, await this.#ended(timeout, signal));
  }

  /** Where the task is. */
  get state(): Promise<TaskState> {
    return this.details().then((details) => details.state);
  }

  /** The state with what is known of it: progress, the last error, the reason. */
  async details(): Promise<StoredState | { readonly state: 'pending' }> {
    return (await this.#source.results.get(this.id)) ?? { state: 'pending' };
  }

  /** Takes the call back: if it waits it never runs, if it runs its signal aborts. */
  revoke(): Promise<void> {
    return this.#source.revoke(this.id);
  }

  /** Drops what is kept of it. */
  forget(): Promise<void> {
    return this.#source.results.forget(this.id);
  }

  async #ended(timeout: number | undefined, signal: AbortSignal | undefined): Promise<StoredState> {
    const { results, clock, onClosed } = this.#source;
    const cleanUp: (() => void)[] = [];
    try {
      return await new Promise<StoredState>((resolve, reject) => {
        const consider = (state: StoredState | undefined) => state && hasEnded(state) && resolve(state);
        const onAbort = () => reject(signal?.reason);
        if (signal?.aborted) return onAbort();
        signal?.addEventListener('abort', onAbort, { once: true });
        cleanUp.push(() => signal?.removeEventListener('abort', onAbort));
        cleanUp.push(onClosed(() => reject(new ClosedError('The app'))));
        if (timeout !== undefined) {
          const onTimeout = () => reject(new ResultTimeoutError(this.id, timeout));
          cleanUp.push(clock.after(timeout, onTimeout, { keepAlive: true }));
        }
        let over = false;
        cleanUp.push(() => {
          over = true;
        });
        // First listen, then look: what comes between the two is seen twice rather than never.
        results
          .watch(this.id, consider)
          .then((unwatch) => {
            if (over) unwatch();
            else cleanUp.push(unwatch);
            return results.get(this.id).then(consider);
          })
          .catch(reject);
      });
    } finally {
      for (const clean of cleanUp) clean();
    }
  }
}

function hasEnded(state: StoredState): boolean {
  return isFinal(state) || state.state === 'aside';
}

function outcomeOf<R>(id: string, ended: StoredState): R {
  switch (ended.state) {
    case 'done':
      return ended.value as R;
    case 'failed':
      throw fromRemoteError(ended.error);
    case 'skipped':
      throw new TaskSkippedError(id, ended.reason);
    case 'aside':
      throw new TaskSetAsideError(id, ended.reason);
    case 'expired':
      throw new TaskExpiredError(id);
    case 'revoked':
      throw new TaskRevokedError(id);
    default:
      throw new Error(`"${ended.state}" is not an end`);
  }
}
