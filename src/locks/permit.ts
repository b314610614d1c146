import { setMaxListeners } from 'node:events';
import { ConfigError, PermitLostError, PermitReleasedError } from '../errors.js';
import type { Coordinator } from './coordinator.js';
import type { Lease } from './lease.js';

/** A share of a resource, held until it is released or lost. */
export interface Permit extends AsyncDisposable {
  readonly resource: string;
  readonly weight: number;
  /**
   * Aborts with `PermitLostError` when the permit is lost, before the coordinator can give it to somebody else, and
   * with `MaxHoldError` when it was held for `maxHold`.
   */
  readonly signal: AbortSignal;
  /**
   * The fencing token of the grant: larger than that of every earlier grant of this resource. Hand it to what you write
   * to, and let that refuse smaller ones. It names a grant: runs handed on under one grant share it. Throws
   * `ConfigError` where the coordinator has none.
   */
  readonly token: bigint;
  /** Whether it is still held, judged by the clock now: right even before a blocked event loop can run a timer. */
  readonly held: boolean;
  /** Throws `PermitLostError` or `PermitReleasedError` unless it is held. */
  assertHeld(): void;
  /** Gives it back. May be called again, never rejects. */
  release(): Promise<void>;
}

/** What becomes of a lease when its handle is released. */
export type OnRelease = (lease: Lease) => Promise<void>;

/**
 * Whoever is told at once to stop. An object and not a function: closures that every task makes and drops are kept by V8
 * for longer than they live, at several times the price of a permit.
 */
export interface PermitUser {
  /** Every reason to stop, the loss of the permit last. */
  told(reason: Error): void;
}

const finished = Promise.resolve();

/** A lease in the hands of one run. The lease may go on to the next run; this handle does not. */
export class PermitHandle implements Permit {
  readonly #lease: Lease;
  readonly #onRelease: OnRelease;
  #controller: AbortController | undefined;
  #aborted: Error | undefined;
  #closed: Promise<void> | undefined;
  /** @internal The run that it is for. */
  run: PermitUser | undefined;

  constructor(lease: Lease, onRelease: OnRelease) {
    this.#lease = lease;
    this.#onRelease = onRelease;
  }

  get resource(): string {
    return this.#lease.resource;
  }

  get weight(): number {
    return this.#lease.weight;
  }

  /** @internal */
  get coordinator(): Coordinator {
    return this.#lease.coordinator;
  }

  get signal(): AbortSignal {
    this.#check();
    if (!this.#controller) {
      this.#controller = new AbortController();
      setMaxListeners(0, this.#controller.signal);
      if (this.#aborted) this.#controller.abort(this.#aborted);
    }
    return this.#controller.signal;
  }

  get token(): bigint {
    const { token, coordinator } = this.#lease;
    if (token !== undefined) return token;
    throw new ConfigError(
      `The ${coordinator.kind} coordinator has no fencing tokens, so the permit for "${this.resource}" has none: ` +
        'name a coordinator with fencing for this resource',
    );
  }

  get held(): boolean {
    return this.#check();
  }

  assertHeld(): void {
    if (this.#closed !== undefined) throw new PermitReleasedError(this.resource);
    if (!this.#check()) throw this.#lease.lost ?? new PermitLostError(this.resource, 'deadline');
  }

  /** Whoever looks wants to know, so from now on it is told at once when the permit is taken away. */
  #check(): boolean {
    if (this.#closed !== undefined || !this.#lease.check()) return false;
    this.#lease.watch();
    return true;
  }

  release(): Promise<void> {
    if (this.#closed === undefined) {
      this.#closed = finished;
      this.#lease.closed(this);
      this.#closed = this.#onRelease(this.#lease);
    }
    return this.#closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.release();
  }

  /** @internal The run is over: this handle holds nothing any more, whatever becomes of the lease. */
  finish(): void {
    if (this.#closed !== undefined) return;
    this.#closed = finished;
    this.#lease.closed(this);
  }

  /** @internal The lease tells: stop. */
  abort(reason: Error): void {
    if (this.#closed !== undefined) return;
    this.#aborted ??= reason;
    this.#controller?.abort(this.#aborted);
    this.run?.told(reason);
  }

  /** @internal Why the run should stop, if it should. */
  get abortReason(): Error | undefined {
    return this.#aborted;
  }
}

/** A limit that the run holds already, entered again at no cost. Releasing it changes nothing but this handle. */
export class NestedPermit implements Permit {
  readonly #outer: Permit;
  #released = false;

  constructor(outer: Permit) {
    this.#outer = outer;
  }

  get resource(): string {
    return this.#outer.resource;
  }

  get weight(): number {
    return this.#outer.weight;
  }

  get signal(): AbortSignal {
    return this.#outer.signal;
  }

  get token(): bigint {
    return this.#outer.token;
  }

  get held(): boolean {
    return !this.#released && this.#outer.held;
  }

  assertHeld(): void {
    if (this.#released) throw new PermitReleasedError(this.resource);
    this.#outer.assertHeld();
  }

  async release(): Promise<void> {
    this.#released = true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#released = true;
  }
}
