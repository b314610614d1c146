import type { Unsubscribe } from '../events.js';
import type { RemoteError, Reply } from '../message.js';

/**
 * Where outcomes are kept for the caller.
 *
 * The full statement of what is promised is the suite in `test/conformance/result-store.ts`.
 */
export interface ResultStore {
  readonly kind: string;
  readonly features: ResultStoreFeatures;

  /**
   * All that was put leaves this process in this turn of the event loop, and then arrives though the process may die: a
   * delivery is settled without waiting for the answer. Absent where states are kept.
   */
  readonly hasSent?: boolean;

  /** Connects, so that the first state need not wait for it. Absent where that is of no use. */
  ready?(): Promise<void>;

  /**
   * Keeps a state for `ttl` milliseconds and tells whoever watches. A final state is never overwritten. A store that
   * keeps nothing sends it to `reply`, where the call's message has one.
   */
  put(id: string, state: StoredState, ttl: number, reply?: Reply): Promise<void>;

  /**
   * Where those who run what is called from here are to send what becomes of it. Resolves when it would arrive. Absent
   * where states are kept.
   */
  address?(): Promise<string>;

  /** The state, or nothing when it is not known (yet, or any more). */
  get(id: string): Promise<StoredState | undefined>;

  /** Calls the listener with every state put from now on, without polling. Resolves when it is sure to be told. */
  watch(id: string, listener: (state: StoredState) => void): Promise<Unsubscribe>;

  forget(id: string): Promise<void>;

  /**
   * Adds part `index` of a group of `size`. Exactly one call, the one that completes the group, gets all the parts, in
   * order; a part added again changes nothing and gets nothing.
   */
  join(
    group: string,
    part: { size: number; index: number; value: unknown },
    ttl: number,
  ): Promise<unknown[] | undefined>;

  close(): Promise<void>;
}

export interface ResultStoreFeatures {
  /** States are kept for whoever knows the id. Otherwise they are sent to the process that made the call, and only there. */
  readonly kept: boolean;
  /** `join` works. Otherwise it rejects with `ConfigError`. */
  readonly groups: boolean;
}

/** `started`, `deferred`, `retrying` and `aside` may still change; the others are final. */
export type StoredState =
  | { readonly state: 'started'; readonly at: number; readonly progress?: unknown }
  | { readonly state: 'deferred'; readonly at: number; readonly resource?: string }
  | { readonly state: 'retrying'; readonly at: number; readonly error: RemoteError }
  | { readonly state: 'aside'; readonly at: number; readonly reason: string }
  | { readonly state: 'done'; readonly at: number; readonly value?: unknown }
  | { readonly state: 'failed'; readonly at: number; readonly error: RemoteError }
  | { readonly state: 'skipped'; readonly at: number; readonly reason: string }
  | { readonly state: 'expired'; readonly at: number }
  | { readonly state: 'revoked'; readonly at: number };

const final = new Set<StoredState['state']>(['done', 'failed', 'skipped', 'expired', 'revoked']);

export function isFinal(state: StoredState | undefined): boolean {
  return state !== undefined && final.has(state.state);
}
