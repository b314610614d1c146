import { ConfigError } from '../../errors.js';
import type { Busy, Claim, EnterRequest, Grant } from '../coordinator.js';
import type { OwnClaim } from './claim.js';
import type { Claims } from './claims.js';
import { type Facts, factsOf } from './facts.js';
import type { Layout } from './layout.js';
import type { Notes } from './notes.js';
import type { Paths } from './paths.js';
import type { Declared } from './pool.js';
import type { Recent } from './recent.js';
import type { Refusals } from './refusals.js';
import type { Runs } from './runs.js';
import type { Session } from './session.js';
import type { Watches } from './watches.js';

/** What all steps of a side share. */
export interface Side {
  readonly claims: Claims;
  readonly watches: Watches;
  readonly refusals: Refusals;
  readonly runs: Runs;
  /** Of semaphores. */
  readonly declared: Recent<Declared>;
  /** Whether grants carry tokens. */
  readonly fencing: boolean;
  /** Whether a session was one of this side, and is over: what it has left may be removed. */
  isFormer(session: bigint): boolean;
}

/** One question, on its way through a recipe. */
export interface Step {
  readonly side: Side;
  readonly request: EnterRequest;
  readonly layout: Layout;
  readonly paths: Paths;
  readonly session: Session;
  /** Removes all that a claim has. */
  leave(claim: OwnClaim): Promise<unknown>;
  /**
   * Throws when the caller has been told that there is no answer: nothing is granted from then on. A step that finds the
   * ground shifting begins again until then.
   */
  checkTime(): void;
}

/** Milliseconds after which asking again is worth it, where nothing is known that ends by itself. */
const someTime = 1_000;

export function retryAfter({ pause }: Notes): number {
  return pause ? Math.max(1, Math.min(someTime, pause.until - Date.now())) : someTime;
}

export function busy(notes: Notes, ownUntil?: number): Busy {
  return { kind: 'busy', retryAfter: retryAfter(notes), ...(ownUntil !== undefined && { ownUntil }) };
}

/** Remembers that the claim asks, from now on. */
export function ownClaim(step: Step, claim: Claim, key: string): OwnClaim {
  const { side, request, layout, paths, session } = step;
  const facts: Facts = factsOf(request, claim);
  const known = side.claims.get(key);
  if (!known) {
    const until = performance.now() + request.lease;
    return side.claims.add({ key, layout, paths, session, facts, until });
  }
  known.facts = { ...facts, ...(known.facts.since !== undefined && { since: known.facts.since }) };
  return known;
}

/** Of a claim that has asked for nothing yet. Whoever has a place, or may have one, has more to do than to be refused. */
export function isLikelyRefused({ request, side, paths }: Step, claim: OwnClaim): boolean {
  const fresh = claim.state === 'asked' && claim.nodes.length === 0 && !claim.doubtful;
  return fresh && !request.line && side.refusals.has(paths.base);
}

export function grantOf(claim: OwnClaim, lease: number): Grant {
  const { token } = claim;
  return { id: claim.facts.id, ...(token !== undefined && { token }), lease };
}

export function tooHeavy(resource: string, weight: number, capacity: number): ConfigError {
  return new ConfigError(
    `"${resource}" has a capacity of ${capacity}, so a claim of weight ${weight} never fits into it`,
  );
}

export function twoLayouts(resource: string, is: string, asked: string): ConfigError {
  return new ConfigError(
    `"${resource}" is in use as a ${is} and cannot be a ${asked} too: declare it with a capacity everywhere, or nowhere`,
  );
}
