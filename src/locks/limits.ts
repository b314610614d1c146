import { CoordinatorUnavailableError } from '../errors.js';
import type { Share } from '../message.js';
import type { Soon } from '../soon.js';
import type { Busy, Claim } from './coordinator.js';
import { type EnterOptions, type Entry, refusal } from './entry.js';
import type { Lease } from './lease.js';
import { type Limit, shareOf } from './limit.js';
import type { Locks } from './locks.js';
import { Patience } from './patience.js';
import type { Permit } from './permit.js';
import { startAll, waitForStarts } from './starts.js';
import { checkCall, type Terms, termsOf } from './terms.js';

/**
 * A task's limits, taken all or none: permits first, in name order, then starts of rates. A refusal gives back what was
 * taken and charges nothing, and names the limit that refused.
 */

export type { EnterOptions, Entry } from './entry.js';

/** The terms of the shares that a call asks for, in name order. A resource named twice is taken once, at its heaviest. */
export function allTerms(locks: Locks, limits: readonly Limit[], shares: readonly (Share | null)[]): Terms[] {
  const { resources } = locks.settings;
  const [only] = limits;
  if (only && limits.length === 1) return shares[0] ? [termsOf(resources, only, shares[0])] : [];
  const all = new Map<string, Terms>();
  limits.forEach((limit, i) => {
    const share = shares[i];
    if (!share) return;
    const known = all.get(share.key);
    if (!known || known.weight < share.weight) all.set(share.key, termsOf(resources, limit, share));
  });
  return [...all.values()].sort(byOrder);
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

/** Tries for a permit, where that is all that is asked for; waits for none. */
export function tryOne(locks: Locks, terms: Terms, claim: Claim): Soon<Entry> {
  const answer = locks.party(terms).try(terms, claim);
  return answer instanceof Promise
    ? answer.then((given) => entryOf(terms, given)).catch((error) => refusal(terms, error) ?? nothing)
    : entryOf(terms, answer);
}

const nothing: Entry = { kind: 'entered', leases: [] };

function entryOf(terms: Terms, answer: Lease | Busy): Entry {
  return 'kind' in answer ? { terms, ...answer } : { kind: 'entered', leases: [answer] };
}

function claimOf(locks: Locks, { claim: { task, message, redelivered } }: EnterOptions): Claim {
  return { id: locks.newClaim(), task, message, redelivered };
}

/** Tries for all the limits; waits for none. */
export async function tryAll(locks: Locks, all: readonly Terms[], options: EnterOptions): Promise<Entry> {
  return await orNothing(options.inHand, async (taken) => {
    return (await tryPermits(locks, all, options, taken)) ?? (await startRates(locks, all, options));
  });
}

/** Gives back what was taken, except what was in hand, unless all was. */
async function orNothing(
  inHand: Lease | undefined,
  take: (taken: Lease[]) => Promise<Entry | undefined>,
): Promise<Entry> {
  const taken: Lease[] = [];
  let entry: Entry | undefined;
  try {
    entry = (await take(taken)) ?? { kind: 'entered', leases: taken };
    return entry;
  } finally {
    if (entry?.kind !== 'entered') {
      await Promise.all(taken.filter((lease) => lease !== inHand).map((lease) => lease.release()));
    }
  }
}

async function startRates(
  locks: Locks,
  all: readonly Terms[],
  options: EnterOptions,
): Promise<Entry | undefined> {
  const rates = all.filter(({ rate }) => rate);
  return rates.length > 0 ? await startAll(locks, rates, options) : undefined;
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
      const answer = await locks.party(terms).try(terms, claimOf(locks, options));
      if ('kind' in answer) return { terms, ...answer };
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
export async function waitForAll(locks: Locks, all: readonly Terms[], options: WaitOptions): Promise<Entry> {
  return await orNothing(undefined, async (taken) => {
    return (await waitForPermits(locks, all, options, taken)) ?? (await startRates(locks, all, options));
  });
}

type WaitOptions = EnterOptions & {
  /** How long this permit may be waited for, in milliseconds. */
  readonly patience: (terms: Terms) => number;
  /** Gives up. */
  readonly signal: AbortSignal;
};

async function waitForPermits(
  locks: Locks,
  all: readonly Terms[],
  options: WaitOptions,
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

async function standFor(locks: Locks, terms: Terms, options: WaitOptions): Promise<Lease | undefined> {
  const party = locks.party(terms);
  const limit = { ms: options.patience(terms), reason: () => party.outage };
  const patience = new Patience(locks.clock, { signal: options.signal, limit, among: locks.waiting });
  const { signal } = patience;
  const impatient = terms.limit.onUnavailable !== 'requeue';
  try {
    return await party.stand(terms, claimOf(locks, options), { signal, impatient });
  } catch (error) {
    if (!signal.aborted || signal.reason instanceof CoordinatorUnavailableError) throw error;
    return undefined;
  } finally {
    patience.end();
  }
}

function isFor(lease: Lease | undefined, terms: Terms): boolean {
  return lease?.resource === terms.resource && lease.weight === terms.weight && lease.check();
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
      const permit = terms.rate ? undefined : await enterNow(locks, terms);
      if (permit) permits.push(permit);
    }
    const rates = all.filter(({ rate }) => rate);
    if (rates.length > 0) await waitForStarts(locks, rates, { wait: (terms) => waitOf(locks, terms) });
    // One may have been lost while the next was waited for.
    for (const permit of permits) permit.assertHeld();
    return await locks.within(permits, () => body(permits));
  } finally {
    await Promise.all(permits.map((permit) => permit.release()));
  }
}

function waitOf(locks: Locks, terms: Terms): number {
  const { onBusy } = terms.limit;
  return onBusy === 'skip' || onBusy === 'fail' ? 0 : locks.defaultWait(terms);
}

async function enterNow(locks: Locks, terms: Terms): Promise<Permit | undefined> {
  try {
    return await locks.enter(terms, { waitTimeout: waitOf(locks, terms) });
  } catch (error) {
    if (!(error instanceof CoordinatorUnavailableError) || terms.limit.onUnavailable !== 'run') throw error;
    return undefined;
  }
}
