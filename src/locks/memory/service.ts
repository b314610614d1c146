import type { Clock } from '../../clock.js';
import { ConfigError } from '../../errors.js';
import type { Unsubscribe } from '../../events.js';
import { Round } from '../../round.js';
import type {
  Booking,
  BookRequest,
  ClaimRef,
  Entered,
  EnterRequest,
  Renewal,
  ResourceState,
} from '../coordinator.js';
import { inspect } from './inspect.js';
import { enter, renew } from './permits.js';
import { Resource } from './resource.js';

/**
 * The service itself: every step of the contract, done at once.
 *
 * It has no timers. What has lapsed is dropped by the next step that touches its resource; resources that nobody touches
 * again are looked at two for each new one, so that what crashed owners left cannot pile up.
 */
export class MemoryService {
  readonly #clock: Clock;
  readonly #resources = new Map<string, Resource>();
  readonly #round = new Round(this.#resources);
  #leftLast: Resource | undefined;
  /** One counter for all resources, begun at the time of day: tokens rise though a resource, or this process, was forgotten. */
  #token: bigint;
  readonly #nextToken = () => ++this.#token;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#token = BigInt(Math.floor(clock.wall() * 1_000));
  }

  /** @internal How many resources are remembered. */
  get size(): number {
    return this.#resources.size;
  }

  enter(request: EnterRequest): Entered {
    const now = this.#clock.now();
    const resource = this.#open(request.resource, now);
    try {
      return enter(resource, request, now, this.#nextToken);
    } finally {
      this.#forgetIfIdle(resource, now);
    }
  }

  renew(permits: readonly Renewal[]): Map<string, 'kept' | 'lost'> {
    const now = this.#clock.now();
    const answers = new Map<string, 'kept' | 'lost'>();
    for (const permit of permits) {
      const resource = this.#find(permit.resource, now);
      answers.set(permit.id, resource && renew(resource, permit, now) ? 'kept' : 'lost');
    }
    return answers;
  }

  exit(claims: readonly ClaimRef[]): void {
    const now = this.#clock.now();
    for (const { resource: name, id } of claims) {
      const resource = this.#find(name, now);
      if (!resource) continue;
      resource.exit(id, now);
      this.#left(resource, now);
    }
  }

  /** What is returned is to be called once. */
  wake({ resource: name, id }: ClaimRef, listener: () => void): Unsubscribe {
    const resource = this.#open(name, this.#clock.now());
    const remove = resource.listeners.add(id, listener);
    return () => {
      remove();
      this.#forgetIfIdle(resource, this.#clock.now());
    };
  }

  book(request: BookRequest): Booking {
    const { resource: name, cost, burst } = request;
    if (cost > burst) {
      throw new ConfigError(
        `"${name}" has a burst of ${burst}, so a start of cost ${cost} is never possible`,
      );
    }
    const now = this.#clock.now();
    const resource = this.#open(name, now);
    const booking = resource.rate.book(request, now, resource.opens(now));
    this.#forgetIfIdle(resource, now);
    return booking;
  }

  inspect(name: string): ResourceState {
    const now = this.#clock.now();
    const resource = this.#find(name, now);
    return resource
      ? inspect(resource, now, this.#clock.wall())
      : { resource: name, holders: [], waiting: [] };
  }

  setCapacity(name: string, capacity: number | undefined, expiresIn = Number.POSITIVE_INFINITY): void {
    const now = this.#clock.now();
    const resource = this.#open(name, now);
    resource.setOverride(capacity === undefined ? undefined : { capacity, until: now + expiresIn });
    this.#forgetIfIdle(resource, now);
  }

  pause(name: string, ms: number, reason: string | undefined): void {
    const now = this.#clock.now();
    const resource = this.#open(name, now);
    resource.setPause(ms > 0 ? { until: now + ms, reason } : undefined);
    this.#forgetIfIdle(resource, now);
  }

  evict({ resource: name, id }: ClaimRef): boolean {
    const now = this.#clock.now();
    const resource = this.#find(name, now);
    const evicted = resource?.evict(id, now) ?? false;
    if (resource) this.#forgetIfIdle(resource, now);
    return evicted;
  }

  #find(name: string, now: number): Resource | undefined {
    const last = this.#leftLast;
    const resource = last?.name === name ? last : this.#resources.get(name);
    resource?.purge(now);
    return resource;
  }

  #open(name: string, now: number): Resource {
    return this.#find(name, now) ?? this.#create(name, now);
  }

  #create(name: string, now: number): Resource {
    this.#sweep(now);
    const resource = new Resource(name);
    this.#resources.set(name, resource);
    return resource;
  }

  #sweep(now: number): void {
    for (let looks = 0; looks < 2; looks++) {
      const resource = this.#round.next();
      resource?.purge(now);
      if (resource) this.#forgetIfIdle(resource, now);
    }
  }

  /** The one that was left last is remembered though it is idle: mostly it is wanted again at once. */
  #left(resource: Resource, now: number): void {
    if (this.#leftLast === resource) return;
    if (this.#leftLast) this.#forgetIfIdle(this.#leftLast, now);
    this.#leftLast = resource;
  }

  #forgetIfIdle(resource: Resource, now: number): void {
    if (!resource.idle(now)) return;
    this.#resources.delete(resource.name);
    if (this.#leftLast === resource) this.#leftLast = undefined;
  }
}
