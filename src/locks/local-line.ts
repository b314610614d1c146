import type { Claim } from './coordinator.js';
import type { Lease } from './lease.js';
import type { Party } from './party.js';
import type { Patience } from './patience.js';
import { sameTerms, type Terms } from './terms.js';

/** A chain of runs under one grant ends here, so that others in the coordinator's line get their turn. */
export const chain = {
  /** Runs. */
  runs: 32,
  /** Milliseconds since the grant. */
  age: 1_000,
  /** Milliseconds since the grant, when the worker has no other free slot. */
  ageWithoutSlot: 200,
  /**
   * Of direct calls: milliseconds since the grant, or so many times what the coordinator took to grant it, where that is
   * longer. So those in line everywhere wait about equally long, and no more than a hundredth is lost to what it takes to
   * come from one to the other.
   */
  ageOfCalls: { least: 100, roundTrips: 200 },
} as const;

/** How old a grant may be that one direct call passes on to the next, in milliseconds. */
function ageOfCalls({ roundTrip }: Lease): number {
  const { least, roundTrips } = chain.ageOfCalls;
  return Math.min(chain.age, Math.max(least, roundTrips * roundTrip));
}

/** Whether a grant may serve one more run. */
export function mayPassOn(lease: Lease, now: number, age: number = chain.age): boolean {
  return lease.turns < chain.runs && now - lease.grantedAt < age && lease.check();
}

interface Waiter {
  readonly terms: Terms;
  readonly claim: Claim;
  /** Those with a smaller number came before. */
  readonly arrival: number;
  readonly admit: (lease: Lease) => void;
  readonly fail: (error: unknown) => void;
}

/** A place in the coordinator's line. */
interface Place {
  /** What it asks for. */
  readonly terms: Terms;
  readonly leave: AbortController;
}

/** So many permits of a resource can come to this process at once. */
const mostPlaces = 8;

/**
 * Those of this process who wait for one resource: first come, first served, with a place in the coordinator's line for each
 * of the first of them, as many as may hold it together. Whoever releases a permit here passes it on to the next, within
 * the bounds of a chain; the places are kept the while, so that whatever happens to the chain, the next ones are in line.
 */
export class LocalLine {
  /** Whether the coordinator has ever answered those who wait here. */
  answered = false;
  readonly #party: Party;
  readonly #onEmpty: () => void;
  #waiters = new Set<Waiter>();
  #latest = -1;
  #stood = 0;
  readonly #places = new Set<Place>();
  /** Those that have been left, but perhaps not yet in the coordinator's eyes, included. */
  readonly #standing = new Set<Promise<void>>();

  constructor(party: Party, onEmpty: () => void) {
    this.#party = party;
    this.#onEmpty = onEmpty;
  }

  /**
   * The lease, when it is this one's turn: after all with a smaller `arrival`. Rejects with the reason when the patience
   * is over.
   */
  wait(terms: Terms, claim: Claim, arrival: number, patience: Patience): Promise<Lease> {
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.#waiters.delete(waiter);
        patience.onAbort = undefined;
        this.#nextInTurn();
      };
      const onAbort = () => {
        leave();
        reject(patience.reason);
      };
      const waiter: Waiter = {
        terms,
        claim,
        arrival,
        admit: (lease) => {
          leave();
          resolve(lease);
        },
        fail: (error) => {
          leave();
          reject(error);
        },
      };
      patience.onAbort = onAbort;
      this.#join(waiter);
    });
  }

  /** Those whose tries were refused do not come here in the order in which they came to try. */
  #join(waiter: Waiter): void {
    this.#waiters.add(waiter);
    if (waiter.arrival > this.#latest) this.#latest = waiter.arrival;
    else this.#waiters = new Set([...this.#waiters].sort((a, b) => a.arrival - b.arrival));
    this.#nextInTurn();
  }

  /** Gives the lease to the first who waits, if it may go on and fits, and if that one came before `arrival`. */
  passOn(lease: Lease, now: number, arrival = Number.POSITIVE_INFINITY): boolean {
    const [first] = this.#waiters;
    if (
      !first ||
      first.arrival > arrival ||
      first.terms.weight !== lease.weight ||
      !mayPassOn(lease, now, ageOfCalls(lease))
    )
      return false;
    lease.turns++;
    first.admit(lease);
    return true;
  }

  /** When nobody waits here any more, and the places are left. */
  get over(): Promise<void> {
    return Promise.all(this.#standing).then(() => (this.#standing.size > 0 ? this.over : undefined));
  }

  /** A place that nobody wants is left, and so is one that asks for something else than whoever is next in turn. */
  #nextInTurn(): void {
    const next = this.#next();
    let kept = 0;
    for (const place of this.#places) {
      if (kept < next.length && sameTerms(place.terms, (next[0] as Waiter).terms)) kept++;
      else this.#leave(place);
    }
    for (const waiter of next.slice(kept)) this.#follow(this.#stand(waiter));
  }

  /** The first ones, as far as they want the same and can have it together. */
  #next(): Waiter[] {
    const next: Waiter[] = [];
    for (const waiter of this.#waiters) {
      const { terms } = next[0] ?? waiter;
      const most = Math.max(1, Math.min(mostPlaces, Math.floor(terms.capacity / terms.weight)));
      if (next.length === most || !sameTerms(terms, waiter.terms)) break;
      next.push(waiter);
    }
    return next;
  }

  #leave(place: Place): void {
    this.#places.delete(place);
    place.leave.abort();
  }

  #follow(standing: Promise<void>): void {
    this.#standing.add(standing);
    void standing.then(() => {
      this.#standing.delete(standing);
      if (this.#standing.size === 0 && this.#waiters.size === 0) this.#onEmpty();
    });
  }

  /** Never rejects: if it cannot stand, this waiter is told, if it still waits. */
  async #stand({ terms, claim, fail }: Waiter): Promise<void> {
    const leave = new AbortController();
    const place: Place = { terms, leave };
    this.#places.add(place);
    // Whoever stands again does so under another id: that the earlier one left may still be on its way.
    const standing = { ...claim, id: `${claim.id}.${this.#stood++}` };
    try {
      const lease = await this.#party.stand(terms, standing, {
        signal: leave.signal,
        impatient: terms.limit.onUnavailable !== 'requeue',
        keepAlive: true,
        onQueued: () => {
          this.answered ||= this.#party.outage === undefined;
        },
      });
      this.#places.delete(place);
      this.#admit(lease);
    } catch (error) {
      this.#places.delete(place);
      if (!leave.signal.aborted) fail(error);
    }
  }

  /** The lease was asked for on behalf of one who may have been served by a chain meanwhile. */
  #admit(lease: Lease): void {
    this.answered = true;
    const [first] = this.#waiters;
    if (first && first.terms.weight === lease.weight) {
      first.admit(lease);
    } else {
      void lease.release();
      this.#nextInTurn();
    }
  }
}
