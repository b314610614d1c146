import { sleep } from '../clock.js';
import { BusyError, LockTimeoutError } from '../errors.js';
import type { Booking, ClaimRef } from './coordinator.js';
import { type EnterOptions, type NoStart, refusal } from './entry.js';
import type { Locks } from './locks.js';
import { orOver, Patience } from './patience.js';
import type { Terms } from './terms.js';

type StartOptions = Pick<EnterOptions, 'booking' | 'reach'>;

/**
 * Starts under all the rates, or none. With several, the first round only asks: one that is exhausted must not make
 * the others charge for a start that is not made. Then the farthest start is booked, or all are charged.
 */
export async function startAll(
  locks: Locks,
  rates: readonly Terms[],
  options: StartOptions,
): Promise<NoStart | undefined> {
  const [only] = rates;
  if (rates.length === 1 && only) return await start(locks, only, options);
  let farthest: { terms: Terms; after: number } | undefined;
  for (const terms of rates) {
    const asked = await start(locks, terms, options, true);
    if (asked && !('after' in asked)) return asked;
    if (asked && asked.after > (farthest?.after ?? -1)) farthest = asked;
  }
  return farthest ? await start(locks, farthest.terms, options) : await chargeAll(locks, rates, options);
}

async function chargeAll(
  locks: Locks,
  rates: readonly Terms[],
  options: StartOptions,
): Promise<NoStart | undefined> {
  const charged: Terms[] = [];
  for (const terms of rates) {
    const refused = await start(locks, terms, options);
    if (refused) {
      await giveBack(locks, charged, options.booking, 0);
      return refused;
    }
    charged.push(terms);
  }
  return undefined;
}

async function start(
  locks: Locks,
  terms: Terms,
  options: StartOptions,
  dry = false,
): Promise<NoStart | undefined> {
  try {
    const { id } = bookingOf(terms, options.booking);
    const booking: Booking = await locks.party(terms).book(terms, id, { reach: options.reach(terms), dry });
    return booking.kind === 'now' ? undefined : { ...booking, terms };
  } catch (error) {
    return refusal(terms, error);
  }
}

function bookingOf({ resource }: Terms, booking: string): ClaimRef {
  return { resource, id: `${booking}:${resource}` };
}

async function giveBack(
  locks: Locks,
  rates: readonly Terms[],
  booking: string,
  patience: number,
): Promise<void> {
  await Promise.all(rates.map((terms) => locks.party(terms).exit(bookingOf(terms, booking), patience)));
}

/**
 * Waits until it may start under all the rates. Throws `LockTimeoutError`, or `BusyError` where the wait is 0, as soon as
 * that can be told, and charges nothing then.
 */
export async function waitForStarts(
  locks: Locks,
  rates: readonly Terms[],
  options: {
    /** How long a start under this rate may be waited for, in milliseconds. */
    readonly wait: (terms: Terms) => number;
    readonly signal?: AbortSignal;
  },
): Promise<void> {
  locks.mustBeOpen();
  const { clock } = locks;
  const begun = clock.now();
  const left = (terms: Terms) => Math.max(0, begun + options.wait(terms) - clock.now());
  const booking = locks.newClaim();
  const undo = () => void giveBack(locks, rates, booking, locks.settings.callTimeout);
  const patience = new Patience(clock, { signal: options.signal, among: locks.waiting });
  const { signal } = patience;
  try {
    for (;;) {
      signal.throwIfAborted();
      const refused = await orOver(startAll(locks, rates, { booking, reach: left }), patience, undo);
      if (!refused) return;
      await sleep(clock, pauseAfter(locks, refused, options.wait, left), { signal, keepAlive: true });
    }
  } catch (error) {
    undo();
    throw error;
  } finally {
    patience.end();
  }
}

/** Milliseconds until asking again is worth it. Throws when there is no time for that. */
function pauseAfter(
  locks: Locks,
  refused: NoStart,
  wait: (terms: Terms) => number,
  left: (terms: Terms) => number,
): number {
  if (refused.kind === 'misconfigured') throw refused.error;
  const { terms } = refused;
  if ('error' in refused) {
    if (terms.limit.onUnavailable === 'fail' || left(terms) === 0) throw refused.error;
    return Math.min(locks.party(terms).untilProbe, left(terms));
  }
  if (refused.kind === 'later') return refused.after;
  const ms = wait(terms);
  throw ms === 0
    ? new BusyError(terms.resource, refused.after, 'start')
    : new LockTimeoutError(terms.resource, ms);
}
