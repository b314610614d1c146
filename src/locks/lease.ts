import { type Clock, type Moment, since } from '../clock.js';
import { type LossCause, MaxHoldError, PermitLostError } from '../errors.js';
import type { Unsubscribe } from '../events.js';
import type { ClaimRef, Coordinator, Grant } from './coordinator.js';
import type { LeaseKeeper } from './lease-keeper.js';
import { type OnRelease, PermitHandle } from './permit.js';
import type { Terms } from './terms.js';

/** The message that a permit was handed on to. */
export interface Served {
  readonly id: string;
  readonly task: string;
}

/**
 * A grant that is kept alive until it is let go.
 *
 * The deadline counts from when the last acknowledged request was *sent*: the coordinator began its own count later
 * than that, so this side gives up first. `margin` covers clocks that run at different rates.
 */
export class Lease implements ClaimRef {
  /** What it was asked for on. */
  readonly terms: Terms;
  readonly id: string;
  readonly token: bigint | undefined;
  /** Milliseconds of the lease. */
  readonly duration: number;
  /** When it was granted, on the clock's `now`: a chain of runs is bounded by its age. */
  readonly grantedAt: number;
  /** To how many it was given, one after the other: a chain is bounded by it, whether or not they ran. */
  turns = 1;
  /** It came to a place in the coordinator's line, when it was that one's turn. */
  inTurn = false;
  /** The message it was handed on to, if it was: its coordinator hears of it with the next renewal. */
  serves: Served | undefined;
  /** Why it is lost, once it is. */
  lost: PermitLostError | undefined;

  /** @internal For the keeper alone, from here on. */
  place = -1;
  /** @internal */
  sentAt: Moment;
  /** @internal On the clock's `now`. */
  renewAt: number;
  /** @internal Of `serves`: what the coordinator has acknowledged. */
  told: Served | undefined;
  /** @internal */
  atRisk = false;
  /** @internal On the clock's `now`. */
  holdUntil = Number.POSITIVE_INFINITY;

  readonly #keeper: LeaseKeeper;
  readonly #clock: Clock;
  readonly #usable: number;
  #released: Promise<void> | undefined;
  #handle: PermitHandle | undefined;
  #maxHold = Number.POSITIVE_INFINITY;
  #unwatch: Unsubscribe | undefined;
  #lot: number | undefined;

  constructor(keeper: LeaseKeeper, terms: Terms, grant: Grant, sentAt: Moment, grantedAt: number) {
    this.#keeper = keeper;
    this.#clock = keeper.clock;
    this.terms = terms;
    this.id = grant.id;
    this.token = grant.token;
    this.duration = grant.lease;
    this.#usable = grant.lease - margin(grant.lease);
    this.sentAt = sentAt;
    this.grantedAt = grantedAt;
    this.renewAt = sentAt.now + grant.lease / 3;
  }

  get resource(): string {
    return this.terms.resource;
  }

  /** From 0 to 1. Chains that began together are not to end together, so each draws how much sooner it does. */
  get lot(): number {
    this.#lot ??= Math.random();
    return this.#lot;
  }

  get weight(): number {
    return this.terms.weight;
  }

  get coordinator(): Coordinator {
    return this.#keeper.coordinator;
  }

  /** A handle for one run, which may hold the permit for `maxHold` milliseconds, from `now` on the clock's `now`. */
  open(maxHold: number, onRelease: OnRelease, now = this.#clock.now()): PermitHandle {
    this.#handle = new PermitHandle(this, onRelease);
    this.#maxHold = maxHold;
    this.holdUntil = now + maxHold;
    this.#keeper.schedule(this.holdUntil);
    if (this.lost) this.#handle.abort(this.lost);
    return this.#handle;
  }

  /** It serves nobody after this. */
  endChain(): void {
    this.turns = Number.POSITIVE_INFINITY;
  }

  /** @internal The handle's run is over, so nobody is told to stop any more. */
  closed(handle: PermitHandle): void {
    if (this.#handle !== handle) return;
    this.#handle = undefined;
    this.holdUntil = Number.POSITIVE_INFINITY;
  }

  /** Whether it is held, by the clock, now. Past the deadline it is lost for good, whatever the coordinator thinks. */
  check(now = this.#clock.now()): boolean {
    if (this.isOver) return false;
    if (since(this.#clock, this.sentAt, now) < this.#usable) return true;
    this.lose('deadline');
    return false;
  }

  /** Known to be lost, or given back. */
  get isOver(): boolean {
    return this.lost !== undefined || this.#released !== undefined;
  }

  /** Milliseconds that it can still be used for without a renewal. */
  get left(): number {
    return this.#usable - since(this.#clock, this.sentAt);
  }

  /** Gives it back, once. Never rejects. */
  release(): Promise<void> {
    this.#released ??= this.lost ? this.#clearUp(this.lost) : this.#keeper.release(this);
    this.#stop();
    return this.#released;
  }

  /** A renewal may have been done whose answer was lost: the permit would then stand there for another lease. */
  async #clearUp({ loss }: PermitLostError): Promise<void> {
    if (loss === 'deadline') await this.#keeper.exit(this, this.duration);
  }

  /** Given back of its own accord. */
  get released(): boolean {
    return this.#released !== undefined && this.lost === undefined;
  }

  /** @internal Whoever runs under it is told to stop: it is given back. */
  recall(reason: Error): Promise<void> {
    this.#handle?.abort(reason);
    return this.release();
  }

  /** @internal Wants to be told at once when the permit is taken away; otherwise the next renewal tells. */
  watch(): void {
    if (this.#unwatch || this.isOver) return;
    try {
      this.#unwatch = this.coordinator.wake(this, () => this.#keeper.renewNow(this));
    } catch {
      // The coordinator was closed: the next renewal tells what that means for the permit.
    }
  }

  /** @internal */
  lose(cause: LossCause, error?: unknown): void {
    if (this.isOver) return;
    this.lost = new PermitLostError(this.resource, cause, { cause: error });
    this.#keeper.lost(this, cause);
    this.#stop();
    this.#handle?.abort(this.lost);
  }

  /**
   * @internal The run has held it for `maxHold`: it is told to stop, and has `grace` milliseconds to return before the
   * permit is taken from it.
   */
  overheld(grace: number): void {
    const told = this.#handle?.abortReason instanceof MaxHoldError;
    if (told) {
      this.abandon();
      return;
    }
    this.#handle?.abort(new MaxHoldError(this.resource, this.#maxHold));
    this.holdUntil = this.#clock.now() + grace;
  }

  /** Its body does not stop, so the permit is taken from it. */
  abandon(): void {
    if (this.lost === undefined && this.#released === undefined) this.#keeper.abandon(this);
  }

  #stop(): void {
    this.#unwatch?.();
    this.#unwatch = undefined;
  }
}

/** The part of a lease that is never relied on: 5 %, at least 200 ms, never more than a quarter. */
export function margin(lease: number): number {
  return Math.min(Math.max(200, lease * 0.05), lease / 4);
}
