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
  /** The part of its age by which a chain ends sooner, at most: those that began together do not all end together. */
  spread: 0.3,
  /** The same, of direct calls: the processes share what there is by taking turns, and turns are short. */
  ageDirect: 120,
  /**
   * The most, of direct calls, when it was granted before there was a line, and a tenth of it the least. Whichever
   * process came first has all that there was. It gives that up again soon, but not all at once: a process has one place
   * in line, which comes to its turn for one permit at a time, and those that come one by one are shared out evenly.
   */
  ageOutOfTurn: 60,
  /** Milliseconds since the grant, when the worker has no other free slot. */
  ageWithoutSlot: 200,
} as const;

/** Whether a grant may serve one more run. */
export function mayPassOn(lease: Lease, now: number, age: number = chain.age): boolean {
  return isWithinBounds(lease, now, age) && lease.check(now);
}

/** The same, for a lease of which is asked later whether it is held. */
export function isWithinBounds(lease: Lease, now: number, age: number): boolean {
  return hasTurns(lease) && now - lease.grantedAt < age;
}

/** Whether its chain has not ended, whatever the clock says. */
export function hasTurns(lease: Lease): boolean {
  return lease.turns < chain.runs && !lease.isOver;
}

interface Waiter {
  readonly terms: Terms;
  readonly claim: Claim;
  /** Those with a smaller number came before. */
  readonly arrival: number;
  readonly admit: (lease: Lease) => void;
  readonly fail: (error: unknown) => void;
}

/**
 * Those of this process who wait for one resource: first come, first served, with one place in the coordinator's line
 * for all of them. Whoever releases a permit here passes it on to the next, within the bounds of a chain; the place is
 * kept the while, so that whatever happens to the chain, the next one has somebody in line.
 */
export class LocalLine {
  /** Whether the coordinator has ever answered those who wait here. */
  answered = false;
  readonly #party: Party;
  readonly #onEmpty: () => void;
  #waiters = new Set<Waiter>();
  #latest = -1;
  #stood = 0;
  #leave = new AbortController();
  /** What the place in the coordinator's line asks for. */
  #asked: Terms | undefined;
  #serving: Promise<void> | undefined;

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
      this.#serving ??= this.#serve();
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
    if (!first || first.arrival > arrival || first.terms.weight !== lease.weight) return false;
    const age = lease.inTurn ? chain.ageDirect : chain.ageOutOfTurn * (1 - 0.9 * lease.lot);
    if (!mayPassOn(lease, now, age)) return false;
    lease.turns++;
    first.admit(lease);
    return true;
  }

  /** When nobody waits here any more, and the place is left. */
  get over(): Promise<void> {
    return this.#serving ?? Promise.resolve();
  }

  /** A place that nobody wants is left, and so is one that asks for something else than whoever is next in turn. */
  #nextInTurn(): void {
    const [first] = this.#waiters;
    if (!first || (this.#asked && !sameTerms(this.#asked, first.terms))) this.#leave.abort();
  }

  async #serve(): Promise<void> {
    for (let [first] = this.#waiters; first; [first] = this.#waiters) {
      try {
        this.#admit(await this.#stand(first));
      } catch (error) {
        if (!this.#leave.signal.aborted) first.fail(error);
      }
    }
    this.#onEmpty();
  }

  #stand({ terms, claim }: Waiter): Promise<Lease> {
    this.#leave = new AbortController();
    this.#asked = terms;
    // Whoever stands again does so under another id: that the earlier one left may still be on its way.
    const standing = { ...claim, id: `${claim.id}.${this.#stood++}` };
    return this.#party.stand(terms, standing, {
      signal: this.#leave.signal,
      impatient: terms.limit.onUnavailable !== 'requeue',
      keepAlive: true,
      onQueued: () => {
        this.answered ||= this.#party.outage === undefined;
      },
    });
  }

  /** The lease was asked for on behalf of one who may have been served by a chain meanwhile. */
  #admit(lease: Lease): void {
    this.answered = true;
    const [first] = this.#waiters;
    if (first && first.terms.weight === lease.weight) first.admit(lease);
    else void lease.release();
  }
}
