import { type Clock, type Moment, moment, since } from '../clock.js';
import type { Deadlines } from '../deadlines.js';
import { CoordinatorUnavailableError } from '../errors.js';
import type { Events } from '../events.js';
import type { Soon } from '../soon.js';
import { Bell } from './bell.js';
import { Contact, type Unknown } from './contact.js';
import type {
  Booking,
  Busy,
  Claim,
  ClaimRef,
  Coordinator,
  Entered,
  EnterRequest,
  Granted,
  Queued,
} from './coordinator.js';
import type { LockEvents } from './events.js';
import { type Lease, margin } from './lease.js';
import { factsOf, LeaseKeeper } from './lease-keeper.js';
import { interval } from './rate.js';
import type { Terms } from './terms.js';
import { Turnstile } from './turnstile.js';

export interface PartyOptions {
  readonly coordinator: Coordinator;
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  readonly events: Events<LockEvents>;
  readonly owner: string;
  /** The deadline of a coordinator call, in milliseconds. */
  readonly callTimeout: number;
  readonly abortGrace: number;
  /** Milliseconds a place in line outlives whoever stands there. */
  readonly placeLife: number;
}

/** One side's dealings with one coordinator: trying, standing in line, booking; and one lease keeper. */
export class Party {
  readonly coordinator: Coordinator;
  readonly keeper: LeaseKeeper;
  readonly #options: PartyOptions;
  readonly #contact: Contact;
  readonly #turnstile: Turnstile;
  /** Those who stand in line, and for what: when the coordinator is back, they ask again. */
  readonly #standing = new Map<Bell, string>();
  /** Questions that are out. */
  #asking = 0;
  /** Calls back when there are none. */
  #onQuiet: (() => void) | undefined;
  /** A try is not repeated: what it may have been granted is given back. */
  readonly #giveBack = ({ resource, claims, lease }: EnterRequest): void => {
    for (const { id } of claims) void this.keeper.exit({ resource, id }, lease);
  };
  readonly #triedInVain: Unknown = { lost: this.#giveBack, late: this.#giveBack };

  constructor(options: PartyOptions) {
    this.coordinator = options.coordinator;
    this.#options = options;
    this.keeper = new LeaseKeeper(options);
    this.#contact = new Contact(options, () => {
      for (const bell of this.#standing.keys()) bell.ring();
    });
    this.#turnstile = new Turnstile((terms, claims) => this.#try(terms, claims));
  }

  /** Asks whether there is room now, and leaves nothing behind when there is none. */
  try(terms: Terms, claim: Claim): Soon<Lease | Busy> {
    return this.#turnstile.try(terms, claim);
  }

  #try(terms: Terms, claims: readonly Claim[]): Soon<Lease[] | Busy> {
    return this.#enter(terms, claims, false, this.#triedInVain) as Soon<Lease[] | Busy>;
  }

  /**
   * Stands in the fair line until the lease is granted. Rejects with the signal's reason when it aborts, leaving the
   * line first. While the coordinator is unavailable it stays, unless `impatient`.
   *
   * The claim is asked for again and again under one id, so a lost reply is mended by the next question. Only when it
   * stands no longer is the claim given back: earlier, that would take away what the next question was granted.
   */
  async stand(
    terms: Terms,
    claim: Claim,
    options: { signal: AbortSignal; impatient?: boolean; keepAlive?: boolean; onQueued?: () => void },
  ): Promise<Lease> {
    const { signal } = options;
    const ref = { resource: terms.resource, id: claim.id };
    const bell = new Bell(this.#options.clock);
    const unsubscribe = this.coordinator.wake(ref, bell.ring);
    const leave = () => void this.keeper.exit(ref, terms.lease);
    let standing = true;
    let lease: Lease | undefined;
    const late = () => void ((lease ? lease.check() : standing) || leave());
    this.#standing.set(bell, terms.resource);
    try {
      for (;;) {
        signal.throwIfAborted();
        const answer = await this.#askInLine(terms, claim, options.impatient, late);
        if (Array.isArray(answer)) {
          [lease] = answer;
          return this.#admit(lease as Lease, signal);
        }
        options.onQueued?.();
        await bell.wait(Math.min(answer.retryAfter, this.#placeLife(terms) / 3), options);
      }
    } catch (error) {
      standing = false;
      leave();
      throw error;
    } finally {
      this.#standing.delete(bell);
      unsubscribe();
    }
  }

  /** Whether somebody of this side stands in line for it. */
  standsFor(resource: string): boolean {
    if (this.#standing.size === 0) return false;
    for (const stoodFor of this.#standing.values()) if (stoodFor === resource) return true;
    return false;
  }

  async #askInLine(
    terms: Terms,
    claim: Claim,
    impatient: boolean | undefined,
    late: () => void,
  ): Promise<Lease[] | Queued | Busy> {
    try {
      return await this.#enter(terms, [claim], true, { late });
    } catch (error) {
      if (impatient || !(error instanceof CoordinatorUnavailableError)) throw error;
      return { kind: 'queued', ahead: 0, retryAfter: this.untilProbe };
    }
  }

  /** Granted, but the caller may have left meanwhile. */
  #admit(lease: Lease, signal: AbortSignal): Lease {
    lease.inTurn = true;
    if (!signal.aborted) return lease;
    void lease.release();
    throw signal.reason;
  }

  #enter(
    terms: Terms,
    claims: readonly Claim[],
    line: boolean,
    unknown: Unknown,
  ): Soon<Lease[] | Queued | Busy> {
    const { clock, callTimeout, owner } = this.#options;
    const sentAt = moment(clock);
    const request: EnterRequest = {
      resource: terms.resource,
      claims,
      owner,
      weight: terms.weight,
      capacity: terms.capacity,
      mutex: terms.mutex,
      lease: terms.lease,
      line,
      placeLife: this.#placeLife(terms),
      layout: terms.layout,
      timeout: callTimeout,
    };
    const answer = this.#contact.enter(request, unknown);
    if (answer instanceof Promise) return this.#arrived(terms, request, answer, sentAt, unknown);
    return answer.kind === 'granted' ? this.#granted(terms, answer, sentAt) : answer;
  }

  async #arrived(
    terms: Terms,
    request: EnterRequest,
    answer: Promise<Entered>,
    sentAt: Moment,
    unknown: Unknown,
  ): Promise<Lease[] | Queued | Busy> {
    this.#asking++;
    try {
      const entered = await answer;
      if (entered.kind !== 'granted') return entered;
      const now = this.#options.clock.now();
      if (this.#isStale(entered, sentAt, now)) {
        unknown.lost?.(request);
        throw this.#contact.unavailable(new Error('its lease had ended when the answer came'));
      }
      return this.#granted(terms, entered, sentAt, now);
    } finally {
      if (--this.#asking === 0) this.#onQuiet?.();
    }
  }

  /** The answer took its time: what it grants may have lapsed on the way. */
  #isStale({ grants }: Granted, sentAt: Moment, now: number): boolean {
    const passed = since(this.#options.clock, sentAt, now);
    return grants.some(({ lease }) => passed >= lease - margin(lease));
  }

  #granted(terms: Terms, granted: Granted, sentAt: Moment, grantedAt?: number): Lease[] {
    if (granted.alsoDeclared !== undefined) this.#mismatch(terms, granted);
    return granted.grants.map((grant) => {
      const lease = this.keeper.keep(terms, grant, sentAt, grantedAt);
      const { events } = this.#options;
      if (events.has('permit.granted')) events.emit('permit.granted', factsOf(lease));
      return lease;
    });
  }

  /** The next start under a rate. `id` names the booking; asking again with it redeems it. */
  async book(terms: Terms, id: string, options: { reach: number; dry?: boolean }): Promise<Booking> {
    const { rate, resource, weight } = terms;
    if (!rate) throw new Error(`"${resource}" is not a rate`);
    const request = {
      resource,
      id,
      ...rate,
      cost: weight,
      ...options,
      tolerance: Math.max(1_000, interval(rate)),
      timeout: this.#options.callTimeout,
    };
    return await this.#contact.book(request);
  }

  /** Gives back what is held or booked. Never rejects. */
  exit(claim: ClaimRef, patience: number): Promise<void> {
    return this.keeper.exit(claim, patience);
  }

  /** What the coordinator failed with, while it does not answer. */
  get outage(): CoordinatorUnavailableError | undefined {
    return this.#contact.outage;
  }

  /** The same, if it was asked in vain in the last so many milliseconds. */
  outageWithin(ms: number): CoordinatorUnavailableError | undefined {
    return this.#contact.outageWithin(ms);
  }

  /** Milliseconds after which it is worth asking again, while it does not answer. */
  get untilProbe(): number {
    return this.#contact.untilProbe;
  }

  #placeLife(terms: Terms): number {
    return Math.min(this.#options.placeLife, terms.lease);
  }

  #mismatch(terms: Terms, { alsoDeclared }: Granted): void {
    const told = mismatchesTold(this.coordinator);
    if (told.has(terms.resource) || told.size >= 1_000) return;
    told.add(terms.resource);
    const { resource, capacity } = terms;
    this.#options.events.emit('capacity.mismatch', {
      resource,
      declared: capacity,
      alsoDeclared: alsoDeclared ?? capacity,
    });
  }

  /** Waits for what is asked, tells whoever holds something to stop, and gives back what is held, and what is granted yet. */
  async close(reason: Error): Promise<void> {
    while (this.#asking > 0) {
      await new Promise<void>((resolve) => {
        this.#onQuiet = resolve;
      });
    }
    await this.keeper.close(reason);
  }
}

/** Resources whose mismatch was told of in this process, whoever asked. */
const mismatches = new WeakMap<Coordinator, Set<string>>();

function mismatchesTold(coordinator: Coordinator): Set<string> {
  const told = mismatches.get(coordinator) ?? new Set();
  mismatches.set(coordinator, told);
  return told;
}
