import type { Claim, ResourceState } from '../coordinator.js';
import { Line, type Place } from './line.js';
import { Listeners } from './listeners.js';
import { Rate } from './rate.js';

export interface Holder {
  readonly claim: Claim;
  readonly owner: string;
  readonly weight: number;
  readonly token: bigint;
  readonly since: number;
  until: number;
}

interface Override {
  readonly capacity: number;
  readonly until: number;
}

interface Pause {
  readonly until: number;
  readonly reason: string | undefined;
}

/** How long a declared capacity is told to those who declare another. */
const declaredLately = 60_000;

/** With more claims than this the next lapse is not looked up but taken from what is known: too early, at worst. */
const closeLook = 64;

/** `retryAfter` when nothing is known that will end by itself. */
const someTime = 1_000;

/**
 * All that is remembered of one resource. Times are on the monotonic clock.
 *
 * Nothing here happens by itself: whoever touches the resource calls `purge` first, and forgets it when it is `idle`.
 */
export class Resource {
  readonly holders = new Map<string, Holder>();
  #line: Line | undefined;
  #rate: Rate | undefined;
  #listeners: Listeners | undefined;
  /** The sum of the holders' weights. */
  used = 0;
  override: Override | undefined;
  paused: Pause | undefined;
  declared: number | undefined;
  #declaredAt = 0;
  #declaredBefore: number | undefined;
  #declaredBeforeAt = 0;
  /** Nothing lapses before this. */
  #lapse = Number.POSITIVE_INFINITY;

  constructor(readonly name: string) {}

  /** Nothing starts before this. */
  opens(now: number): number {
    return this.paused?.until ?? now;
  }

  rateState(now: number): ResourceState['rate'] {
    return this.#rate?.state(now, this.opens(now));
  }

  get line(): Line {
    this.#line ??= new Line();
    return this.#line;
  }

  get rate(): Rate {
    this.#rate ??= new Rate();
    return this.#rate;
  }

  get listeners(): Listeners {
    this.#listeners ??= new Listeners();
    return this.#listeners;
  }

  /** First in line. */
  get head(): Place | undefined {
    return this.#line?.first;
  }

  /** Whether forgetting this resource would change no answer. */
  idle(now: number): boolean {
    return (
      this.holders.size === 0 &&
      !this.head &&
      !this.override &&
      !this.paused &&
      !this.#listeners?.size &&
      (!this.#rate || this.#rate.idle(now))
    );
  }

  /** Drops what has lapsed. */
  purge(now: number): void {
    if (now < this.#lapse) return;
    this.#lapse = Number.POSITIVE_INFINITY;
    for (const holder of this.holders.values()) {
      if (!this.#stands(holder, now)) this.revoke(holder);
    }
    for (const place of this.#line ?? []) {
      if (!this.#stands(place, now)) this.#line?.leave(place);
    }
    if (this.paused && !this.#stands(this.paused, now)) this.paused = undefined;
    if (this.override && !this.#stands(this.override, now)) this.#changeOverride(undefined);
    this.wakeHead();
  }

  #stands({ until }: { readonly until: number }, now: number): boolean {
    if (until <= now) return false;
    this.lapsesAt(until);
    return true;
  }

  /** Something ends then, unless it is renewed. */
  lapsesAt(time: number): void {
    if (time < this.#lapse) this.#lapse = time;
  }

  hold(holder: Holder): void {
    this.holders.set(holder.claim.id, holder);
    this.used += holder.weight;
    this.lapsesAt(holder.until);
  }

  release(holder: Holder): void {
    this.holders.delete(holder.claim.id);
    this.used -= holder.weight;
  }

  /** Takes a permit from an owner who may not know. */
  revoke(holder: Holder): void {
    this.release(holder);
    this.#listeners?.call(holder.claim.id);
  }

  /** False when there was no such place. */
  leave(id: string): boolean {
    const place = this.#line?.get(id);
    if (place) this.#line?.leave(place);
    return place !== undefined;
  }

  exit(id: string, now: number): void {
    const holder = this.holders.get(id);
    if (holder) this.release(holder);
    else if (!this.leave(id)) this.#rate?.exit(id, now);
    this.wakeHead();
  }

  evict(id: string, now: number): boolean {
    const holder = this.holders.get(id);
    if (holder) this.revoke(holder);
    const evicted = holder !== undefined || this.leave(id) || (this.#rate?.evict(id, now) ?? false);
    this.wakeHead();
    return evicted;
  }

  /** Whether it is this claim's turn, and there is room for it. */
  admits(id: string, weight: number, capacity: number): boolean {
    const head = this.head;
    return !this.paused && (!head || head.claim.id === id) && this.used + weight <= capacity;
  }

  capacityFor(declared: number): number {
    return this.override ? this.override.capacity : declared;
  }

  /** Remembers what was declared. Returns what else was, lately. */
  declare(capacity: number, now: number): number | undefined {
    if (this.declared !== capacity) {
      this.#declaredBefore = this.declared;
      this.#declaredBeforeAt = this.#declaredAt;
      this.declared = capacity;
    }
    this.#declaredAt = now;
    return now - this.#declaredBeforeAt < declaredLately ? this.#declaredBefore : undefined;
  }

  setOverride(override: Override | undefined): void {
    if (override) this.lapsesAt(override.until);
    this.#changeOverride(override);
    this.wakeHead();
  }

  setPause(pause: Pause | undefined): void {
    this.paused = pause;
    if (pause) this.lapsesAt(pause.until);
    this.wakeHead();
  }

  /** A place that no longer fits at all would block the line. Its owner is told why when it asks again. */
  #changeOverride(override: Override | undefined): void {
    this.override = override;
    for (const place of this.#line ?? []) {
      if (place.weight <= this.capacityFor(place.capacity)) continue;
      this.#line?.leave(place);
      this.#listeners?.call(place.claim.id);
    }
  }

  /** Calls the first in line when it may fit now. */
  wakeHead(): void {
    const head = this.head;
    if (!head || !this.#listeners) return;
    const { claim, weight, capacity } = head;
    if (this.admits(claim.id, weight, this.capacityFor(capacity))) this.#listeners.call(claim.id);
  }

  /** When a permit of another claim for the same message ends; the last one, if there are several. */
  endOfEarlierRun(claim: Claim): number | undefined {
    if (!claim.redelivered || claim.message === undefined) return undefined;
    let end: number | undefined;
    for (const other of this.holders.values()) {
      if (other.claim.message !== claim.message || other.claim.id === claim.id) continue;
      end = Math.max(end ?? 0, other.until);
    }
    return end;
  }

  /** Milliseconds until something ends that stands in the way of a claim behind `last`, who is last in line if nobody is named. */
  retryAfter(now: number, last: Place | undefined = this.#line?.last): number {
    const end = Math.min(this.#nextEnd(last), this.paused?.until ?? Number.POSITIVE_INFINITY);
    return end === Number.POSITIVE_INFINITY ? someTime : Math.max(1, Math.ceil(end - now));
  }

  #nextEnd(last: Place | undefined): number {
    if (this.holders.size + (this.#line?.size ?? 0) > closeLook) return this.#lapse;
    let end = Number.POSITIVE_INFINITY;
    for (const holder of this.holders.values()) end = Math.min(end, holder.until);
    for (let place: Place | undefined = last; place; place = place.before) end = Math.min(end, place.until);
    return end;
  }
}
