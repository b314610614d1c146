import { type Clock, moment } from '../clock.js';
import { CoordinatorUnavailableError } from '../errors.js';
import type { Events } from '../events.js';
import { Bell } from './bell.js';
import type { Booking, Busy, Claim, ClaimRef, Coordinator, EnterRequest, Granted, Queued } from './coordinator.js';
import type { LockEvents } from './events.js';
import type { Lease } from './lease.js';
import { LeaseKeeper } from './lease-keeper.js';
import type { Terms } from './terms.js';
import { Turnstile } from './turnstile.js';

export interface PartyOptions {
  readonly coordinator: Coordinator;
  readonly clock: Clock;
  readonly events: Events<LockEvents>;
  readonly owner: string;
  /** The deadline of a coordinator call, in milliseconds. */
  readonly callTimeout: number;
  readonly abortGrace: number;
  /** Milliseconds a place in line outlives whoever stands there. */
  readonly placeLife: number;
}

/**
 * One side's dealings with one coordinator: trying, standing in line, booking; and one lease keeper.
 *
 * While the coordinator does not answer, one question after another goes out at growing intervals, for all who would
 * ask; the others are told at once that it is unavailable.
 */
export class Party {
  readonly coordinator: Coordinator;
  readonly keeper: LeaseKeeper;
  readonly #options: PartyOptions;
  readonly #turnstile: Turnstile;
  readonly #mismatches = new Set<string>();
  #outage: { error: unknown; nextProbe: number; failures: number } | undefined;

  constructor(options: PartyOptions) {
    this.coordinator = options.coordinator;
    this.#options = options;
    this.keeper = new LeaseKeeper(options);
    this.#turnstile = new Turnstile(
      (terms, claims) => this.#enter(terms, claims, false) as Promise<Lease[] | Busy>,
    );
  }

  /** Asks whether there is room now, and leaves nothing behind when there is none. */
  try(terms: Terms, claim: Claim): Promise<Lease | Busy> {
    return this.#turnstile.try(terms, claim);
  }

  /**
   * Stands in the fair line until the lease is granted. Rejects with the signal's reason when it aborts, leaving the
   * line first. While the coordinator is unavailable it stays, unless `impatient`.
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
    try {
      for (;;) {
        signal.throwIfAborted();
        const answer = await this.#askInLine(terms, claim, options.impatient);
        if (Array.isArray(answer)) return this.#admit(answer[0] as Lease, signal);
        options.onQueued?.();
        await bell.wait(Math.min(answer.retryAfter, this.#placeLife(terms) / 3), options);
      }
    } catch (error) {
      void this.keeper.exit(ref, this.#options.placeLife);
      throw error;
    } finally {
      unsubscribe();
    }
  }

  async #askInLine(terms: Terms, claim: Claim, impatient = false): Promise<Lease[] | Queued | Busy> {
    try {
      return await this.#enter(terms, [claim], true);
    } catch (error) {
      if (impatient || !(error instanceof CoordinatorUnavailableError)) throw error;
      return { kind: 'queued', ahead: 0, retryAfter: this.#untilProbe() };
    }
  }

  /** Granted, but the caller may have left meanwhile. */
  #admit(lease: Lease, signal: AbortSignal): Lease {
    if (!signal.aborted) return lease;
    void lease.release();
    throw signal.reason;
  }

  async #enter(terms: Terms, claims: readonly Claim[], line: boolean): Promise<Lease[] | Queued | Busy> {
    const { clock, callTimeout, owner } = this.#options;
    const sentAt = moment(clock);
    const request: EnterRequest = {
      resource: terms.resource,
      claims,
      owner,
      weight: terms.weight,
      capacity: terms.capacity,
      lease: terms.lease,
      line,
      placeLife: this.#placeLife(terms),
      layout: terms.layout,
      timeout: callTimeout,
    };
    const answer = await this.#ask(
      () => this.coordinator.enter(request),
      () => this.#giveBack(terms, claims),
    );
    if (answer.kind !== 'granted') return answer;
    if (answer.alsoDeclared !== undefined) this.#mismatch(terms, answer);
    return answer.grants.map((grant) => {
      const lease = this.keeper.keep(terms.resource, terms.weight, grant, sentAt);
      this.#options.events.emit('permit.granted', lease);
      return lease;
    });
  }

  /** The reply was lost, so the claims may stand. */
  #giveBack(terms: Terms, claims: readonly Claim[]): void {
    for (const { id } of claims) void this.keeper.exit({ resource: terms.resource, id }, terms.lease);
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
      tolerance: Math.max(1_000, rate.per / rate.limit),
      timeout: this.#options.callTimeout,
    };
    return await this.#ask(() => this.coordinator.book(request));
  }

  /** Gives back what is held or booked. Never rejects. */
  exit(claim: ClaimRef, patience: number): Promise<void> {
    return this.keeper.exit(claim, patience);
  }

  async #ask<T>(call: () => Promise<T>, onUnknown?: () => void): Promise<T> {
    const outage = this.#outage;
    if (outage) {
      if (this.#options.clock.now() < outage.nextProbe) throw this.#unavailable(outage.error);
      outage.nextProbe += this.#options.callTimeout;
    }
    try {
      const answer = await call();
      if (this.#outage) this.#recovered();
      return answer;
    } catch (error) {
      if (!(error instanceof CoordinatorUnavailableError)) {
        if (this.#outage) this.#recovered();
        throw error;
      }
      onUnknown?.();
      this.#failed(error);
      throw error;
    }
  }

  /** What the coordinator failed with, while it does not answer. */
  get outage(): CoordinatorUnavailableError | undefined {
    return this.#outage && this.#unavailable(this.#outage.error);
  }

  #failed(error: unknown): void {
    const failures = (this.#outage?.failures ?? 0) + 1;
    if (failures === 1) {
      this.#options.events.emit('coordinator.unavailable', { coordinator: this.coordinator.kind, error });
    }
    const pause = Math.min(1_000, 50 * 2 ** failures) * (0.75 + Math.random() / 2);
    this.#outage = { error, failures, nextProbe: this.#options.clock.now() + pause };
  }

  #recovered(): void {
    this.#outage = undefined;
    this.#options.events.emit('coordinator.available', { coordinator: this.coordinator.kind });
  }

  #unavailable(cause: unknown): CoordinatorUnavailableError {
    return new CoordinatorUnavailableError(this.coordinator.kind, { cause });
  }

  #untilProbe(): number {
    return Math.max(10, (this.#outage?.nextProbe ?? 0) - this.#options.clock.now());
  }

  #placeLife(terms: Terms): number {
    return Math.min(this.#options.placeLife, terms.lease);
  }

  #mismatch(terms: Terms, { alsoDeclared }: Granted): void {
    if (this.#mismatches.has(terms.resource) || this.#mismatches.size >= 1_000) return;
    this.#mismatches.add(terms.resource);
    const { resource, capacity } = terms;
    this.#options.events.emit('capacity.mismatch', { resource, declared: capacity, alsoDeclared: alsoDeclared ?? capacity });
  }
}
