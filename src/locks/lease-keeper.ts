import { type Cancel, type Clock, jittered, type Moment, moment, since } from '../clock.js';
import { Crowd } from '../crowd.js';
import type { Deadlines } from '../deadlines.js';
import type { LossCause } from '../errors.js';
import type { Events } from '../events.js';
import type { ClaimRef, Coordinator, Grant, Renewal } from './coordinator.js';
import type { LockEvents } from './events.js';
import { Exits } from './exits.js';
import { Lease } from './lease.js';
import type { Terms } from './terms.js';

/**
 * Keeps leases alive on one coordinator: renewal, risk, deadline, loss and abort, once for all coordinators.
 *
 *     sent          the moment before the acquire or renewal that was last acknowledged
 *     renew         at sent + lease/3, then every min(1 s, lease/10) until acknowledged
 *     at risk       at sent + 2/3 lease
 *     lost          at sent + lease − margin, whatever the coordinator may say later
 *
 * One timer serves all leases, armed for the earliest thing to do. A permit that is released within a third of its
 * lease never costs one.
 *
 * If the process stalls between any two steps, the clocks decide: `Lease.check` is asked before a result is trusted, and
 * the timer, when it runs at last, looks at deadlines before it renews anything.
 */
export class LeaseKeeper {
  readonly coordinator: Coordinator;
  readonly clock: Clock;
  readonly #events: Events<LockEvents>;
  readonly #callTimeout: number;
  readonly #abortGrace: number;
  readonly #exits: Exits;
  readonly #leases = new Crowd<Lease>();
  #timer: Cancel | undefined;
  #wakeAt = Number.POSITIVE_INFINITY;
  #dead = false;

  constructor(options: {
    coordinator: Coordinator;
    clock: Clock;
    deadlines: Deadlines;
    events: Events<LockEvents>;
    /** Milliseconds. */
    callTimeout: number;
    /** Milliseconds. */
    abortGrace: number;
  }) {
    this.coordinator = options.coordinator;
    this.clock = options.clock;
    this.#events = options.events;
    this.#callTimeout = options.callTimeout;
    this.#abortGrace = options.abortGrace;
    this.#exits = new Exits(options);
  }

  /** Takes charge of a grant that was asked for at `sentAt`, and came at `grantedAt` on the clock's `now`. */
  keep(terms: Terms, grant: Grant, sentAt: Moment, grantedAt: number = sentAt.now): Lease {
    const lease = new Lease(this, terms, grant, sentAt, grantedAt);
    this.#leases.add(lease);
    this.schedule(lease.renewAt);
    return lease;
  }

  /** @internal Sees to it that the timer runs no later than `at`. */
  schedule(at: number): void {
    if (at >= this.#wakeAt || this.#dead) return;
    this.#wakeAt = at;
    this.#timer?.();
    this.#timer = this.clock.after(at - this.clock.now(), () => this.#tick());
  }

  /** @internal */
  release(lease: Lease): Promise<void> {
    this.#leases.delete(lease);
    if (this.#events.has('permit.released')) {
      const held = this.clock.now() - lease.grantedAt;
      this.#events.emit('permit.released', { ...factsOf(lease), held });
    }
    return this.exit(lease, lease.duration);
  }

  /** Gives a claim back that may or may not be there, as long as it is worth it. Never rejects. */
  exit(claim: ClaimRef, patience: number): Promise<void> {
    return this.#exits.exit(claim, patience);
  }

  /** @internal */
  lost(lease: Lease, cause: LossCause): void {
    this.#leases.delete(lease);
    this.#events.emit('permit.lost', { resource: lease.resource, id: lease.id, cause });
  }

  /** @internal A body that does not stop loses its permit; from here on it may overlap the next holder. */
  abandon(lease: Lease): void {
    lease.lose('max-hold');
    this.#events.emit('permit.abandoned', { resource: lease.resource, id: lease.id });
    void this.exit(lease, lease.duration);
  }

  /** What is held of a resource goes on to nobody: something has changed that the next one must be judged by. */
  endChains(resource: string): void {
    for (const lease of this.#leases) if (lease.resource === resource) lease.endChain();
  }

  /** @internal */
  renewNow(lease: Lease): void {
    if (this.#leases.has(lease)) void this.#renew([lease]);
  }

  #tick(): void {
    this.#timer = undefined;
    this.#wakeAt = Number.POSITIVE_INFINITY;
    const now = this.clock.now();
    const due: Lease[] = [];
    let next = Number.POSITIVE_INFINITY;
    for (const lease of this.#leases) {
      if (!lease.check()) continue;
      this.#warn(lease);
      if (now >= lease.holdUntil) lease.overheld(this.#abortGrace);
      if (lease.lost) continue;
      if (now >= lease.renewAt) {
        lease.renewAt = now + retryStep(lease.duration);
        due.push(lease);
      }
      next = Math.min(next, this.#nextStep(lease, now));
    }
    if (due.length > 0) void this.#renew(due);
    if (next < Number.POSITIVE_INFINITY) this.schedule(next);
  }

  #warn(lease: Lease): void {
    const elapsed = since(this.clock, lease.sentAt);
    if (lease.atRisk || elapsed < (lease.duration * 2) / 3) return;
    lease.atRisk = true;
    this.#events.emit('permit.atRisk', { resource: lease.resource, id: lease.id, left: lease.left });
  }

  #nextStep(lease: Lease, now: number): number {
    const atRiskAt = lease.atRisk ? Number.POSITIVE_INFINITY : lease.sentAt.now + (lease.duration * 2) / 3;
    const next = Math.min(lease.renewAt, atRiskAt, now + lease.left, lease.holdUntil);
    return Math.max(next, now + soonest);
  }

  /**
   * A renewal that has not been answered is repeated, answered or not, and an answer counts whenever it comes: no client
   * is trusted to settle its calls.
   */
  async #renew(leases: readonly Lease[]): Promise<void> {
    const sentAt = moment(this.clock);
    let timeout = this.#callTimeout;
    const told = leases.map(({ serves }) => serves);
    for (const lease of leases) {
      lease.watch();
      timeout = Math.min(timeout, lease.duration / 4);
    }
    try {
      const answers = await this.coordinator.renew(leases.map(renewal), { timeout });
      leases.forEach((lease, i) => {
        this.#renewed(lease, answers.get(lease.id), sentAt, told[i]);
      });
    } catch (error) {
      for (const lease of leases) this.#notRenewed(lease, error, sentAt);
    }
  }

  #renewed(lease: Lease, answer: 'kept' | 'lost' | undefined, sentAt: Moment, told: Lease['told']): void {
    // Released, or lost, while the answer was on its way: it is of no interest any more.
    if (!this.#leases.has(lease) || !lease.check()) return;
    if (answer === 'lost') lease.lose('not-owner');
    if (answer !== 'kept' || sentAt.now < lease.sentAt.now) return;
    lease.told = told;
    lease.sentAt = sentAt;
    lease.atRisk = false;
    lease.renewAt = sentAt.now + lease.duration / 3;
  }

  #notRenewed(lease: Lease, error: unknown, sentAt: Moment): void {
    if (!this.#leases.has(lease) || sentAt.now < lease.sentAt.now) return;
    lease.renewAt = Math.min(lease.renewAt, this.clock.now() + retryStep(lease.duration));
    this.#events.emit('permit.renewFailed', { resource: lease.resource, id: lease.id, error });
    this.schedule(lease.renewAt);
  }

  /** Lets go of everything at once, as a process that dies would: nothing is given back, nothing is renewed. */
  kill(): void {
    this.#dead = true;
    this.#timer?.();
    this.#leases.clear();
    this.#exits.kill();
  }

  /** Tells whoever still holds something to stop, gives it back, and keeps nothing any more. */
  async close(reason: Error): Promise<void> {
    await Promise.all([...this.#leases].map((lease) => lease.recall(reason)));
    await this.#exits.close();
    this.kill();
  }
}

function renewal({ resource, id, duration, serves, told }: Lease): Renewal {
  const tells = serves && serves !== told;
  return {
    resource,
    id,
    lease: duration,
    ...(tells && { serves: { task: serves.task, message: serves.id } }),
  };
}

/** What events tell of a permit. */
export function factsOf({ resource, id, weight }: Lease): LockEvents['permit.granted'] {
  return { resource, id, weight };
}

/** A step of the clock that survives rounding, in milliseconds: the timer never comes back to the instant it ran at. */
const soonest = 0.01;

function retryStep(lease: number): number {
  return jittered(Math.min(1_000, lease / 10));
}
