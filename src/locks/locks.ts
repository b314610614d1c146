import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { checkObject } from '../check.js';
import type { Clock } from '../clock.js';
import { Crowd } from '../crowd.js';
import { Deadlines } from '../deadlines.js';
import { type Duration, milliseconds } from '../duration.js';
import { ClosedError, ConfigError } from '../errors.js';
import type { Events, Unsubscribe } from '../events.js';
import type { Share } from '../message.js';
import { type AcquireOptions, acquireTerms, checkName } from './acquire-options.js';
import { ClaimIds } from './claim-ids.js';
import type { Coordinator, ResourceState } from './coordinator.js';
import { Entrance } from './entrance.js';
import type { LockEvents } from './events.js';
import type { Lease } from './lease.js';
import { defaultWaitTimeout, rateLimit, shareOf } from './limit.js';
import type { OpenCoordinator } from './open.js';
import { type ChangeOptions, Operators } from './operators.js';
import { Party } from './party.js';
import type { Patience } from './patience.js';
import { NestedPermit, type OnRelease, type Permit } from './permit.js';
import type { Resources } from './resources.js';
import { heldInScope, scope } from './scope.js';
import { waitForStarts } from './starts.js';
import { type Terms, termsOf } from './terms.js';

export type { AcquireOptions } from './acquire-options.js';

const closed = () => new ClosedError('This set of locks');

/** How long a place in line outlives the process that stood there, in milliseconds. */
export const placeLife = 3_000;

const plainRate = rateLimit('any', undefined);

export interface LocksSettings {
  /** The coordinator of resources that name none: closed with these locks. */
  readonly opened?: OpenCoordinator;
  readonly resources: Resources;
  readonly clock: Clock;
  readonly events: Events<LockEvents>;
  /** Milliseconds. */
  readonly callTimeout: number;
  /** Milliseconds. */
  readonly abortGrace: number;
}

/**
 * Permits by name, held under a lease until released or lost.
 *
 *     await locks.using('storage', async (permit) => { … });
 */
export class Locks {
  readonly settings: LocksSettings;
  readonly clock: Clock;
  /** @internal For what is nearly always over in time. */
  readonly deadlines: Deadlines;
  /** Host, process and incarnation: who holds, for those who look. */
  readonly owner: string;
  /** @internal All who wait for something. */
  readonly waiting = new Crowd<Patience>();
  readonly #parties = new Map<Coordinator, Party>();
  #lastParty: Party | undefined;
  readonly #entrance = new Entrance(this);
  readonly #operators: Operators;
  readonly #claims = new ClaimIds();
  readonly #isFork: boolean;
  readonly #unsubscribe: Unsubscribe;
  #closed: Promise<void> | undefined;

  constructor(settings: LocksSettings, isFork = false) {
    this.settings = settings;
    this.#operators = new Operators(settings);
    this.#isFork = isFork;
    this.clock = settings.clock;
    this.deadlines = new Deadlines(settings.clock);
    // A pause, say, counts from now on: whatever goes on to the next must be asked for again.
    this.#unsubscribe = settings.events.on('resource.changed', ({ resource }) => {
      for (const { keeper } of this.#parties.values()) keeper.endChains(resource);
    });
    this.owner = `${hostname()}:${process.pid}:${randomBytes(6).toString('hex')}`;
  }

  get events(): Events<LockEvents> {
    return this.settings.events;
  }

  /**
   * Waits in the fair line for a permit. Throws `LockTimeoutError` after `waitTimeout` (`BusyError` where that is 0), the
   * signal's reason when it aborts, `CoordinatorUnavailableError` when the coordinator did not answer until then.
   */
  acquire(resource: string, options: AcquireOptions = {}): Promise<Permit> {
    try {
      const terms = this.#terms(resource, options);
      const wait =
        options.waitTimeout === undefined ? undefined : milliseconds(options.waitTimeout, 'waitTimeout');
      return this.enter(terms, { waitTimeout: wait, signal: options.signal });
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** A permit if there is room now, else nothing. */
  async tryAcquire(
    resource: string,
    options: Omit<AcquireOptions, 'waitTimeout' | 'signal'> = {},
  ): Promise<Permit | undefined> {
    const terms = this.#terms(resource, options);
    const nested = this.#nested(terms);
    if (nested) return nested;
    this.mustBeOpen();
    const asked = this.#asked();
    const answer = await this.party(terms).try(terms, { id: this.newClaim() });
    return 'kind' in answer ? undefined : this.#open(answer, terms, asked);
  }

  /** Runs the body with a permit, and gives it back whatever happens. The result, or the error, is the body's own. */
  using<R>(resource: string, body: (permit: Permit) => R): Promise<Awaited<R>>;
  using<R>(resource: string, options: AcquireOptions, body: (permit: Permit) => R): Promise<Awaited<R>>;
  async using<R>(resource: string, ...rest: [unknown, unknown?]): Promise<Awaited<R>> {
    const [options, body] = (rest.length === 1 ? [{}, rest[0]] : rest) as [
      AcquireOptions,
      (permit: Permit) => R,
    ];
    if (typeof body !== 'function') throw ConfigError.expected('body', 'a function', body);
    const permit = await this.acquire(resource, options);
    try {
      return await this.within([permit], () => body(permit));
    } finally {
      await permit.release();
    }
  }

  /** Waits for a start under a rate, up to `waitTimeout`. */
  async start(
    resource: string,
    options: { cost?: number; waitTimeout?: Duration; signal?: AbortSignal } = {},
  ): Promise<void> {
    checkName(resource);
    checkObject(options, 'options', ['cost', 'waitTimeout', 'signal']);
    const limit =
      options.cost === undefined ? plainRate : rateLimit(resource, undefined, { cost: options.cost });
    const terms = termsOf(this.settings.resources, limit, shareOf({ ...limit, key: resource }, []) as Share);
    const wait =
      options.waitTimeout === undefined ? undefined : milliseconds(options.waitTimeout, 'waitTimeout');
    await waitForStarts(this, [terms], {
      wait: () => wait ?? this.defaultWait(terms),
      signal: options.signal,
    });
  }

  /** Capacity, holders and who waits. */
  inspect(resource: string): Promise<ResourceState> {
    return this.#operators.inspect(resource);
  }

  /** A capacity that counts for everybody, whatever they declare; `undefined` takes it back. */
  setCapacity(
    resource: string,
    capacity: number | undefined,
    options: ChangeOptions & { expiresIn?: Duration } = {},
  ): Promise<void> {
    return this.#operators.setCapacity(resource, capacity, options);
  }

  /** Puts a resource on hold for everybody: nothing is granted, no start is booked before the time is over. */
  pause(resource: string, duration: Duration, options: ChangeOptions = {}): Promise<void> {
    return this.#operators.pause(resource, duration, options);
  }

  resume(resource: string, options: ChangeOptions = {}): Promise<void> {
    return this.#operators.pause(resource, 0, options);
  }

  /** Takes a permit or a place away from its owner, by the id that `inspect` shows. False when there is none. */
  evict(resource: string, id: string, options: ChangeOptions = {}): Promise<boolean> {
    return this.#operators.evict(resource, id, options);
  }

  /** Sends away whoever waits, with `ClosedError`, and gives back all that this side holds. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    for (const patience of this.waiting) patience.abort(closed());
    await this.#entrance.close();
    this.#unsubscribe();
    await Promise.all([...this.#parties.values()].map((party) => party.close(closed())));
    this.deadlines.close();
    if (this.#isFork) return;
    await this.settings.opened?.close();
    await this.settings.resources.close();
  }

  /** @internal Throws `ClosedError` when they are closed. */
  mustBeOpen(): void {
    if (this.#closed) throw closed();
  }

  /** @internal As a process that dies: gives nothing back and renews nothing. */
  kill(): void {
    this.#unsubscribe();
    for (const party of this.#parties.values()) party.keeper.kill();
    this.deadlines.close();
  }

  /** @internal Another side with the same resources and leases of its own, as a worker has. */
  fork(): Locks {
    return new Locks(this.settings, true);
  }

  /** @internal */
  newClaim(): string {
    return this.#claims.next();
  }

  /** @internal This side's dealings with the coordinator of these terms. */
  party({ coordinator }: Pick<Terms, 'coordinator'>): Party {
    if (this.#lastParty?.coordinator === coordinator) return this.#lastParty;
    this.#lastParty = this.#parties.get(coordinator) ?? this.#newParty(coordinator);
    return this.#lastParty;
  }

  #newParty(coordinator: Coordinator): Party {
    const party = new Party({
      ...this.settings,
      deadlines: this.deadlines,
      coordinator,
      owner: this.owner,
      placeLife,
    });
    this.#parties.set(coordinator, party);
    return party;
  }

  /** @internal What this side was refused with, if it asked in vain in the last so many milliseconds. */
  outage(coordinator: Coordinator, within: number): Error | undefined {
    return this.#parties.get(coordinator)?.outageWithin(within);
  }

  /** @internal A permit on these terms: at no cost when the running code holds it, else tried, then waited for. */
  async enter(terms: Terms, options: { waitTimeout?: number; signal?: AbortSignal } = {}): Promise<Permit> {
    const nested = this.#nested(terms);
    if (nested) return nested;
    this.mustBeOpen();
    options.signal?.throwIfAborted();
    const wait = options.waitTimeout ?? this.defaultWait(terms);
    const asked = this.#asked();
    return this.#open(await this.#entrance.enter(terms, wait, options.signal), terms, asked);
  }

  /** @internal Runs the body as code that holds these permits. */
  within<R>(permits: readonly Permit[], body: () => R): R {
    const outer = scope.getStore();
    const all = [...(outer?.permits ?? []), ...permits];
    return scope.run({ permits: all, inRun: outer?.inRun ?? false, task: outer?.task }, body);
  }

  /** @internal Milliseconds that a call waits which does not say. */
  defaultWait({ limit }: Terms): number {
    return limit.waitTimeout ?? (scope.getStore()?.inRun ? 0 : defaultWaitTimeout);
  }

  /** When it was asked, if anybody wants to know. */
  #asked(): number | undefined {
    return this.events.has('permit.acquired') ? this.clock.now() : undefined;
  }

  #open(lease: Lease, terms: Terms, asked: number | undefined): Permit {
    if (this.#closed) {
      void lease.release();
      throw closed();
    }
    if (asked !== undefined) {
      const { resource, id, weight } = lease;
      this.events.emit('permit.acquired', { resource, id, weight, waited: this.clock.now() - asked });
    }
    return lease.open(terms.maxHold, this.#onRelease);
  }

  readonly #onRelease: OnRelease = (lease) => this.#entrance.leave(lease);

  #nested(terms: Terms): Permit | undefined {
    const outer = heldInScope(terms);
    return outer && new NestedPermit(outer);
  }

  #terms(resource: string, options: AcquireOptions): Terms {
    return acquireTerms(this.settings.resources, resource, options);
  }
}
