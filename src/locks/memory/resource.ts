import type { Claim, ResourceState } from '../coordinator.js';
import { Listeners } from '../listeners.js';
import { Capacity } from './capacity.js';
import { type Holder, Holders } from './holders.js';
import { Line, type Place } from './line.js';
import { Rate } from './rate.js';

interface Pause {
  readonly until: number;
  readonly reason: string | undefined;
}

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
  readonly holders = new Holders();
  #line: Line | undefined;
  #rate: Rate | undefined;
  #listeners: Listeners | undefined;
  /** The sum of the holders' weights. */
  used = 0;
  readonly capacity = new Capacity();
  paused: Pause | undefined;
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

  get tail(): Place | undefined {
    return this.#line?.last;
  }

  /** Whether forgetting this resource would change no answer. */
  idle(now: number): boolean {
    return (
      this.holders.size === 0 &&
      !this.head &&
      !this.capacity.override &&
      !this.paused &&
      !this.#listeners?.size &&
      (!this.#rate || this.#rate.idle(now))
    );
  }

  /** Drops what has lapsed. */
  purge(now: number): void {
    if (now < this.#lapse) return;
    this.#lapse = Number.POSITIVE_INFINITY;
    for (const holder of this.holders) {
      if (!this.#stands(holder, now)) this.revoke(holder);
    }
    for (const place of this.#line ?? []) {
      if (!this.#stands(place, now)) this.#line?.leave(place);
    }
    if (this.paused && !this.#stands(this.paused, now)) this.paused = undefined;
    const { override } = this.capacity;
    if (override && !this.#stands(override, now)) this.#changeOverride(undefined);
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
    this.holders.add(holder);
    this.used += holder.weight;
    this.lapsesAt(holder.until);
  }

  release(holder: Holder): void {
    this.holders.delete(holder);
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

  setOverride(override: Capacity['override']): void {
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
  #changeOverride(override: Capacity['override']): void {
    this.capacity.override = override;
    for (const place of this.#line ?? []) {
      if (place.weight <= this.capacity.inForce(place.capacity)) continue;
      this.#line?.leave(place);
      this.#listeners?.call(place.claim.id);
    }
  }

  /** Calls the first in line when it may fit now. */
  wakeHead(): void {
    const head = this.head;
    if (!head || !this.#listeners) return;
    const { claim, weight, capacity } = head;
    if (this.admits(claim.id, weight, this.capacity.inForce(capacity))) this.#listeners.call(claim.id);
  }

  /** When the last permit ends that is held for the same message, by an earlier delivery of it. */
  endOfEarlierRun(claim: Claim): number | undefined {
    if (!claim.redelivered || claim.message === undefined) return undefined;
    let end: number | undefined;
    for (const other of this.holders) {
      if (other.claim.message === claim.message) end = Math.max(end ?? other.until, other.until);
    }
    return end;
  }

  /** Milliseconds until something ends that stands in the way of a claim behind `last`. */
  retryAfter(now: number, last: Place | undefined): number {
    const crowded = this.holders.size + (this.#line?.size ?? 0) > closeLook;
    const end = crowded ? this.#lapse : this.#nextEnd(last);
    return end === Number.POSITIVE_INFINITY ? someTime : Math.max(1, Math.ceil(end - now));
  }

  #nextEnd(last: Place | undefined): number {
    const never = Number.POSITIVE_INFINITY;
    let end = Math.min(this.paused?.until ?? never, this.capacity.override?.until ?? never);
    for (const holder of this.holders) end = Math.min(end, holder.until);
    for (let place = last; place; place = place.before) end = Math.min(end, place.until);
    return end;
  }
}
