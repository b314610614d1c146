import type { Unsubscribe } from '../events.js';
import type { Soon } from '../soon.js';

/**
 * The service that keeps limits.
 *
 * A coordinator does single steps. Each is atomic, safe to repeat with the same ids, and ends within the `timeout` it is
 * given. Waiting, renewing, deadlines, aborts and events are not its business: `locks.ts` and `lease-keeper.ts` do that
 * once for all coordinators.
 *
 * `enter` and `exit` may answer without a promise, where the answer is there at once. They never throw: what fails is a
 * promise that rejects.
 *
 * Two errors only: `CoordinatorUnavailableError` when it is not known whether the step took effect (the caller repeats
 * it, or lets leases lapse), and `ConfigError` when the request can never succeed. That a resource is busy is an answer.
 *
 * The full statement of what is promised is the suite in `test/conformance/coordinator.ts`.
 */
export interface Coordinator {
  /** `memory`, `redis`, `etcd`, …: for messages, logs and events. */
  readonly kind: string;
  readonly features: CoordinatorFeatures;
  /** Timers of its own end `enter` and `exit` in time, whatever becomes of its client: nobody else need watch them. */
  readonly punctual?: boolean;

  /**
   * Claims shares of a resource. A claim that is held already is granted again with the same token and a fresh lease; a
   * claim that has a place keeps it, and its life starts anew. With `line`, whoever came first is served first, and a
   * claim never overtakes a place ahead of it, however light it is. Without, a refused claim leaves nothing behind, and
   * nobody is let past those in line.
   *
   * A weight above the capacity in force is a `ConfigError`: such a claim never stands at the head of the line.
   */
  enter(request: EnterRequest): Soon<Entered>;

  /** Starts the leases of permits anew. A permit that is not held any more is `lost`, for good. */
  renew(permits: readonly Renewal[], options: CallOptions): Promise<Map<string, 'kept' | 'lost'>>;

  /** Gives back permits, places and bookings, several at once, of whatever resources. What is not there is no error. */
  exit(claims: readonly ClaimRef[], options: CallOptions): Soon<void>;

  /**
   * Calls the listener when it is worth asking again: for a place, when it may have come to its turn (then `enter`
   * with the same id); for a permit, when it may have been taken away (then `renew`). A call may come for nothing, and
   * one may be missed: whoever waits also asks again by itself.
   */
  wake(claim: ClaimRef, listener: () => void): Unsubscribe;

  /** Asks for a start under a rate. Rejects with `ConfigError` where `features.rate` is false. */
  book(request: BookRequest): Promise<Booking>;

  /** What an operator sees. */
  inspect(resource: string, options: CallOptions): Promise<ResourceState>;

  /**
   * Stores a capacity that counts for every request, whatever it declares, until it expires or is taken back with
   * `undefined`. Lowering it revokes nobody: nothing is granted until enough has been given back.
   */
  setCapacity(
    resource: string,
    capacity: number | undefined,
    options: CallOptions & { expiresIn?: number },
  ): Promise<void>;

  /** Grants nothing of the resource, and books no start, for `ms` milliseconds from now. 0 ends a pause. */
  pause(resource: string, ms: number, options: CallOptions & { reason?: string }): Promise<void>;

  /** Takes a permit, a place or a booking away from its owner. False when there is no such claim. */
  evict(claim: ClaimRef, options: CallOptions): Promise<boolean>;

  /**
   * The same service with resources in another layout of its store, and the features that this layout has. Throws
   * `ConfigError`, naming those there are, for one that is not known. It ends with this coordinator. Absent where there is
   * one layout only.
   */
  layout?(name: string): Coordinator;

  /** Ends what this side opened. Leases that are still held lapse by themselves. */
  close(): Promise<void>;
}

export interface CoordinatorFeatures {
  /** First come, first served. */
  readonly fair: boolean;
  /** Grants carry a token that rises with every grant of the resource. */
  readonly fencing: boolean;
  /** Claims may weigh more than 1. */
  readonly weighted: boolean;
  /** Capacities above 1. */
  readonly semaphore: boolean;
  /** `book` works. */
  readonly rate: boolean;
  /** What was granted stays granted when a server of it fails over. */
  readonly survivesFailover: boolean;
  /** The shortest lease, in milliseconds. A shorter one is a `ConfigError` when the resource is declared. */
  readonly minLease: number;
}

export interface CallOptions {
  /** The deadline of this step, in milliseconds. */
  timeout: number;
}

/** A claim's name: of a permit, a place or a booking. */
export interface ClaimRef {
  readonly resource: string;
  readonly id: string;
}

export interface Renewal extends ClaimRef {
  /** Milliseconds. */
  readonly lease: number;
  /**
   * What the permit serves from now on: it was handed on to the run of another message. Without it, what it serves stays
   * as it is.
   */
  readonly serves?: Pick<Claim, 'task' | 'message'>;
}

/** Who claims, and what for. All but the id is information, except that `redelivered` makes the claim wait for its own kind. */
export interface Claim {
  /** Minted by the caller for this claim and for no other, ever. */
  readonly id: string;
  readonly task?: string;
  /** The message the claim is for. */
  readonly message?: string;
  /**
   * The message was delivered before. While a permit of an earlier delivery stands, this claim is refused (with
   * `ownUntil`), for that run may still be alive.
   */
  readonly redelivered?: boolean;
}

export interface EnterRequest extends CallOptions {
  readonly resource: string;
  /** Without `line` there may be several: as many are granted as there is room for, from the front. With it, one. */
  readonly claims: readonly Claim[];
  /** Who asks: host, process and incarnation. */
  readonly owner: string;
  /** Permits for each claim, from 1. */
  readonly weight: number;
  /** What this side takes the capacity to be. A stored override counts for more. */
  readonly capacity: number;
  /** It was declared without a capacity: a mutex for good, where that has a layout of its own. */
  readonly mutex?: boolean;
  /** Milliseconds. */
  readonly lease: number;
  /** Stand in line when there is no room. */
  readonly line: boolean;
  /** Milliseconds that a place outlives the last `enter` of its claim. */
  readonly placeLife: number;
  /** Where a coordinator knows several. Declared with the resource, never derived. */
  readonly layout?: string;
}

export type Entered = Granted | Queued | Busy;

export interface Granted {
  readonly kind: 'granted';
  /** A grant for each claim from the front; fewer than claims when the room ended there. */
  readonly grants: readonly Grant[];
  /** The capacity in force. */
  readonly capacity: number;
  /** Another capacity that was declared for this resource, by somebody, not long ago. */
  readonly alsoDeclared?: number;
}

export interface Grant {
  readonly id: string;
  /** Rises with every grant of the resource. Absent where `features.fencing` is false. */
  readonly token?: bigint;
  /** Milliseconds granted, counted by the coordinator from when it granted. */
  readonly lease: number;
}

export interface Queued {
  readonly kind: 'queued';
  /** Places ahead. */
  readonly ahead: number;
  /** Milliseconds after which asking again is worth it even if nobody wakes: a holder or a place may have lapsed. */
  readonly retryAfter: number;
}

export interface Busy {
  readonly kind: 'busy';
  readonly retryAfter: number;
  /** Set when a permit of the same message's earlier delivery refuses: milliseconds until its lease ends. */
  readonly ownUntil?: number;
}

/**
 * A start under a rate. The state is one theoretical arrival time per resource (GCRA): `limit` starts per `per`
 * milliseconds, evenly, of which `burst` may come at once.
 */
export interface BookRequest extends CallOptions {
  readonly resource: string;
  /** Minted by the caller. Asking again with it, while it is booked, gives the same booking. */
  readonly id: string;
  readonly limit: number;
  /** Milliseconds. */
  readonly per: number;
  readonly burst: number;
  /** Starts that this one counts for, from 1 to `burst`. */
  readonly cost: number;
  /**
   * How many milliseconds ahead a start may be booked. Farther ones are told and not booked; 0 books nothing but a
   * start now.
   */
  readonly reach: number;
  /** Milliseconds after its time for which a booking still counts. After that it is void and the start is lost. */
  readonly tolerance: number;
  /** Only tell; neither book nor charge. */
  readonly dry?: boolean;
}

/**
 * `now`: charged, go. `later`: booked for then; ask again with the same id when it is time. `beyond`: farther than
 * `reach`, nothing booked. `after` is in milliseconds from now.
 */
export type Booking =
  | { readonly kind: 'now' }
  | { readonly kind: 'later'; readonly after: number }
  | { readonly kind: 'beyond'; readonly after: number };

export interface ResourceState {
  readonly resource: string;
  /** The capacity in force: the override, else the one declared last. Absent when neither is known. */
  readonly capacity?: number;
  readonly override?: { readonly capacity: number; readonly expiresIn?: number };
  readonly paused?: { readonly until: number; readonly reason?: string };
  readonly holders: readonly ClaimState[];
  /** In line, first come first. */
  readonly waiting: readonly ClaimState[];
  /** Of a rate: milliseconds until the next free start of cost 1, and starts booked ahead. */
  readonly rate?: { readonly nextStart: number; readonly booked: number };
}

export interface ClaimState {
  readonly id: string;
  readonly owner: string;
  readonly task?: string;
  readonly message?: string;
  readonly weight: number;
  /** Milliseconds since 1970, by the coordinator's clock. */
  readonly since: number;
  /** When the lease, or the place, ends unless renewed. */
  readonly until: number;
  readonly token?: bigint;
  /** Made by another program than this package. */
  readonly foreign: boolean;
}
