import { ConfigError, CoordinatorUnavailableError } from '../errors.js';
import type { Share } from '../message.js';
import type { Booking, Busy, Claim } from './coordinator.js';
import type { Lease } from './lease.js';
import { type Limit, shareOf } from './limit.js';
import type { Locks } from './locks.js';
import type { Permit } from './permit.js';
import { checkCall, type Terms, termsOf } from './terms.js';

/**
 * A task's limits, taken all or none: permits first, in name order, then starts of rates. A refusal gives back what was
 * taken and charges nothing, and names the limit that refused.
 */

/** How it went. Leases that were in hand before stay with the caller unless `entered`. */
export type Entry =
  | { readonly kind: 'entered'; readonly leases: readonly Lease[] }
  | ({ readonly terms: Terms } & Busy)
  /** A start is booked, or (`beyond`) told, so many milliseconds from now. */
  | { readonly kind: 'later' | 'beyond'; readonly terms: Terms; readonly after: number }
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

/** The terms of the shares that a call asks for, in name order. A resource named twice is taken once, at its heaviest. */
export function allTerms(locks: Locks, limits: readonly Limit[], shares: readonly (Share | null)[]): Terms[] {
  const { resources } = locks.settings;
  const all = new Map<string, Terms>();
  limits.forEach((limit, i) => {
    const share = shares[i];
    if (!share) return;
    const known = all.get(share.key);
    if (!known || known.weight < share.weight) all.set(share.key, termsOf(resources, limit, share));
  });
  return all.size === 1 ? [...all.values()] : [...all.values()].sort(byOrder);
}

function byOrder(a: Terms, b: Terms): number {
  if ((a.rate === undefined) !== (b.rate === undefined)) return a.rate === undefined ? -1 : 1;
  return a.resource < b.resource ? -1 : 1;
}

/** Shares for a call with these arguments, checked against what is declared. */
export function sharesOf(locks: Locks, limits: readonly Limit[], args: readonly unknown[]): (Share | null)[] {
  return limits.map((limit) => {
    const share = shareOf(limit, args);
    if (share) checkCall(locks.settings.resources, limit, share);
    return share;
  });
}

/** Tries for all the limits; waits for none. */
export async function tryAll(locks: Locks, all: readonly Terms[], options: EnterOptions): Promise<Entry> {
  const taken: Lease[] = [];
  const refused = (await tryPermits(locks, all, options, taken)) ?? (await startAll(locks, all, options));
  if (!refused) return { kind: 'entered', leases: taken };
  await giveBack(taken, options.inHand);
  return refused;
}

async function tryPermits(
  locks: Locks,
  all: readonly Terms[],
  options: EnterOptions,
  taken: Lease[],
): Promise<Entry | undefined> {
  for (const terms of all) {
    if (terms.rate) continue;
    if (isFor(options.inHand, terms)) {
      taken.push(options.inHand as Lease);
      continue;
    }
    try {
      const answer = await locks.party(terms).try(terms, { id: locks.newClaim(), ...options.claim });
      if ('kind' in answer) return { ...answer, terms };
      taken.push(answer);
    } catch (error) {
      const refused = refusal(terms, error);
      if (refused) return refused;
    }
  }
  return undefined;
}

/**
 * Takes the permits in name order, each from the fair line, holding the earlier ones the while: as everybody who does
 * this does it in the same order, nobody waits in a circle. Busy when one did not come within `patience`.
 */
export async function waitForAll(
  locks: Locks,
  all: readonly Terms[],
  options: EnterOptions & { patience: (terms: Terms) => number; signal: AbortSignal },
): Promise<Entry> {
  const taken: Lease[] = [];
  const refused = (await waitForPermits(locks, all, options, taken)) ?? (await startAll(locks, all, options));
  if (!refused) return { kind: 'entered', leases: taken };
  await giveBack(taken, undefined);
  return refused;
}

async function waitForPermits(
  locks: Locks,
  all: readonly Terms[],
  options: EnterOptions & { patience: (terms: Terms) => number; signal: AbortSignal },
  taken: Lease[],
): Promise<Entry | undefined> {
  for (const terms of all) {
    if (terms.rate) continue;
    // Only what comes first in the order may be in hand while waiting for the rest.
    if (taken.length === 0 && isFor(options.inHand, terms)) {
      taken.push(options.inHand as Lease);
      continue;
    }
    if (options.inHand && !taken.includes(options.inHand)) await options.inHand.release();
    try {
      const lease = await standFor(locks, terms, options);
      if (!lease) return { kind: 'busy', retryAfter: 0, terms };
      taken.push(lease);
    } catch (error) {
      const refused = refusal(terms, error);
      if (refused) return refused;
    }
  }
  return undefined;
}

async function standFor(
  locks: Locks,
  terms: Terms,
  options: EnterOptions & { patience: (terms: Terms) => number; signal: AbortSignal },
): Promise<Lease | undefined> {
  const patience = new AbortController();
  const leave = () => patience.abort();
  const cancel = locks.clock.after(options.patience(terms), leave);
  options.signal.addEventListener('abort', leave, { once: true });
  if (options.signal.aborted) leave();
  try {
    const claim = { id: locks.newClaim(), ...options.claim };
    return await locks.party(terms).stand(terms, claim, { signal: patience.signal });
  } catch (error) {
    if (patience.signal.aborted) return undefined;
    throw error;
  } finally {
    cancel();
    options.signal.removeEventListener('abort', leave);
  }
}

/** What an error means for the run; nothing when it runs without this limit. Errors of other kinds are thrown on. */
function refusal(terms: Terms, error: unknown): Entry | undefined {
  if (error instanceof ConfigError) return { kind: 'misconfigured', error };
  if (!(error instanceof CoordinatorUnavailableError)) throw error;
  return terms.limit.onUnavailable === 'run' ? undefined : { kind: 'unavailable', terms, error };
}

/**
 * Starts under all the rates, or none. With several, the first round only asks: one that is exhausted must not make
 * the others charge for a start that is not made. Then the farthest start is booked, or all are charged.
 */
async function startAll(locks: Locks, all: readonly Terms[], options: EnterOptions): Promise<Entry | undefined> {
  const rates = all.filter((terms) => terms.rate);
  if (rates.length === 0) return undefined;
  const [only] = rates;
  if (rates.length === 1 && only) return await start(locks, only, options, options.reach(only));
  let farthest: { terms: Terms; after: number } | undefined;
  for (const terms of rates) {
    const asked = await start(locks, terms, options, options.reach(terms), true);
    if (asked?.kind === 'unavailable' || asked?.kind === 'misconfigured') return asked;
    if (asked && 'after' in asked && asked.after > (farthest?.after ?? -1)) farthest = { terms, after: asked.after };
  }
  if (farthest) return await start(locks, farthest.terms, options, options.reach(farthest.terms));
  return await chargeAll(locks, rates, options);
}

async function chargeAll(locks: Locks, rates: readonly Terms[], options: EnterOptions): Promise<Entry | undefined> {
  const charged: Terms[] = [];
  for (const terms of rates) {
    const refused = await start(locks, terms, options, options.reach(terms));
    if (refused) {
      await Promise.all(charged.map((one) => locks.party(one).exit(bookingOf(one, options), 0)));
      return refused;
    }
    charged.push(terms);
  }
  return undefined;
}

async function start(
  locks: Locks,
  terms: Terms,
  options: EnterOptions,
  reach: number,
  dry = false,
): Promise<Entry | undefined> {
  try {
    const { id } = bookingOf(terms, options);
    const booking: Booking = await locks.party(terms).book(terms, id, { reach, dry });
    return booking.kind === 'now' ? undefined : { ...booking, terms };
  } catch (error) {
    return refusal(terms, error);
  }
}

function bookingOf(terms: Terms, { booking }: EnterOptions) {
  return { resource: terms.resource, id: `${booking}:${terms.resource}` };
}

function isFor(lease: Lease | undefined, terms: Terms): boolean {
  return lease?.resource === terms.resource && lease.weight === terms.weight;
}

async function giveBack(leases: readonly Lease[], keep: Lease | undefined): Promise<void> {
  await Promise.all(leases.filter((lease) => lease !== keep).map((lease) => lease.release()));
}

/**
 * Runs a body under limits, here and now: it waits in the fair lines as each limit allows, and throws
 * `LockTimeoutError`, or `BusyError` for a limit that does not wait.
 */
export async function runUnder<R>(
  locks: Locks,
  limits: readonly Limit[],
  args: readonly unknown[],
  body: (permits: readonly Permit[]) => R,
): Promise<Awaited<R>> {
  const all = allTerms(locks, limits, sharesOf(locks, limits, args));
  const permits: Permit[] = [];
  try {
    for (const terms of all) {
      const permit = await enterNow(locks, terms);
      if (permit) permits.push(permit);
    }
    return await locks.within(permits, () => body(permits));
  } finally {
    await Promise.all(permits.map((permit) => permit.release()));
  }
}

async function enterNow(locks: Locks, terms: Terms): Promise<Permit | undefined> {
  const { onBusy, onUnavailable } = terms.limit;
  const waitTimeout = onBusy === 'skip' || onBusy === 'fail' ? 0 : undefined;
  try {
    if (!terms.rate) return await locks.enter(terms, { waitTimeout });
    await locks.startUnder(terms, { waitTimeout });
  } catch (error) {
    if (!(error instanceof CoordinatorUnavailableError) || onUnavailable !== 'run') throw error;
  }
  return undefined;
}

