import { ConfigError, CoordinatorUnavailableError } from '../errors.js';
import type { Busy, Claim } from './coordinator.js';
import type { Lease } from './lease.js';
import type { Terms } from './terms.js';

/** How an attempt to take all of a task's limits went. Leases that were in hand before stay with the caller unless `entered`. */
export type Entry =
  | { readonly kind: 'entered'; readonly leases: readonly Lease[] }
  /** `since`: when it began to wait in vain, in milliseconds since 1970. */
  | ({ readonly terms: Terms; readonly since?: number } & Busy)
  | NoStart;

/** Why there is no start under the rates now. */
export type NoStart =
  /** A start is booked, or (`beyond`) told, so many milliseconds from now. */
  { readonly kind: 'later' | 'beyond'; readonly terms: Terms; readonly after: number } | NoAnswer;

export type NoAnswer =
  | { readonly kind: 'unavailable'; readonly terms: Terms; readonly error: CoordinatorUnavailableError }
  | { readonly kind: 'misconfigured'; readonly error: ConfigError };

export interface EnterOptions {
  readonly claim: Omit<Claim, 'id'>;
  /** A lease that the caller has already. */
  readonly inHand?: Lease;
  /** The id that starts are booked under. */
  readonly booking: string;
  /** How far ahead a start of this rate may be booked, in milliseconds. */
  readonly reach: (terms: Terms) => number;
}

/** What an error means for the run; nothing when it runs without this limit. Errors of other kinds are thrown on. */
export function refusal(terms: Terms, error: unknown): NoAnswer | undefined {
  if (error instanceof ConfigError) return { kind: 'misconfigured', error };
  if (!(error instanceof CoordinatorUnavailableError)) throw error;
  return terms.limit.onUnavailable === 'run' ? undefined : { kind: 'unavailable', terms, error };
}
