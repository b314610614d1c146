import { checkOneOf } from '../../check.js';
import type { Unsubscribe } from '../../events.js';
import type {
  Booking,
  BookRequest,
  CallOptions,
  ClaimRef,
  Coordinator,
  CoordinatorFeatures,
  Entered,
  EnterRequest,
  Renewal,
  ResourceState,
} from '../coordinator.js';
import type { Layout } from './layout.js';
import { NativeLayout } from './native.js';
import type { RedisService } from './service.js';
import { StringLayout } from './string.js';

/**
 * How resources are kept. `native`: fair, weighted, woken when it is their turn. `string`: a mutex that redis-py and redlock
 * share; not fair, and polled. `redis-semaphore`: the same for the mutexes of that package.
 */
export type RedisLayout = (typeof redisLayouts)[number];

export const redisLayouts = ['native', 'string', 'redis-semaphore'] as const;

/** One side of a Redis, in one layout. Those in the others share its connection. */
export class RedisCoordinator implements Coordinator {
  readonly kind = 'redis';
  readonly features: CoordinatorFeatures;
  readonly punctual = true;
  readonly #service: RedisService;
  readonly #layout: Layout;
  readonly #layouts: Map<RedisLayout, RedisCoordinator>;

  constructor(service: RedisService, name: RedisLayout, layouts = new Map<RedisLayout, RedisCoordinator>()) {
    this.#service = service;
    this.#layout = layoutOf(service, name);
    this.features = this.#layout.features;
    this.#layouts = layouts.set(name, this);
  }

  layout(name: string): Coordinator {
    const known = checkOneOf(name, 'layout', redisLayouts);
    return this.#layouts.get(known) ?? new RedisCoordinator(this.#service, known, this.#layouts);
  }

  enter(request: EnterRequest): Promise<Entered> {
    return this.#layout.enter(request);
  }

  renew(permits: readonly Renewal[], options: CallOptions): Promise<Map<string, 'kept' | 'lost'>> {
    return this.#layout.renew(permits, options);
  }

  exit(claims: readonly ClaimRef[], options: CallOptions): Promise<void> {
    return this.#layout.exit(claims, options);
  }

  wake({ id }: ClaimRef, listener: () => void): Unsubscribe {
    this.#service.mustBeOpen();
    return this.#service.wakes.add(id, listener);
  }

  book(request: BookRequest): Promise<Booking> {
    return this.#layout.book(request);
  }

  inspect(resource: string, options: CallOptions): Promise<ResourceState> {
    return this.#layout.inspect(resource, options);
  }

  setCapacity(
    resource: string,
    capacity: number | undefined,
    options: CallOptions & { expiresIn?: number },
  ): Promise<void> {
    return this.#layout.setCapacity(resource, capacity, options);
  }

  pause(resource: string, ms: number, options: CallOptions & { reason?: string }): Promise<void> {
    return this.#layout.pause(resource, ms, options);
  }

  evict(claim: ClaimRef, options: CallOptions): Promise<boolean> {
    return this.#layout.evict(claim, options);
  }

  async close(): Promise<void> {
    await this.#service.close();
  }
}

function layoutOf(service: RedisService, name: RedisLayout): Layout {
  if (name === 'native') return new NativeLayout(service);
  return new StringLayout(service, name === 'redis-semaphore' ? 'mutex:' : '');
}
