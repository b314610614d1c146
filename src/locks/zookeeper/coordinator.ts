import { checkOneOf } from '../../check.js';
import { ConfigError } from '../../errors.js';
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
import { type Layout, type LockLayout, layouts, mustBeOne } from './layout.js';
import type { ZooKeeperService } from './service.js';

/** What differs between the coordinators of one service. */
export interface View {
  /** Whether grants carry tokens. */
  readonly fencing: boolean;
  /** Of the servers, in milliseconds. */
  readonly tick: number;
  /** Of a resource that nobody has given a capacity. */
  readonly mutex: LockLayout;
  /** Of every resource, where it was declared. */
  readonly layout?: Layout;
}

/** A ZooKeeper, in the layouts that resources have of themselves, or in one. All of a service share its sessions. */
export class ZooKeeperCoordinator implements Coordinator {
  readonly kind = 'zookeeper';
  readonly features: CoordinatorFeatures;
  readonly #service: ZooKeeperService;
  readonly #view: View;
  readonly #known: Map<Layout, ZooKeeperCoordinator>;

  constructor(service: ZooKeeperService, view: View, known = new Map<Layout, ZooKeeperCoordinator>()) {
    this.#service = service;
    this.#view = view;
    this.#known = known;
    const { fencing, tick, layout } = view;
    const counts = layout === undefined || layout === 'semaphore';
    this.features = {
      fair: true,
      fencing,
      weighted: counts,
      semaphore: counts,
      rate: false,
      survivesFailover: true,
      // Of a session, it is the shortest that servers allow unless they are told otherwise.
      minLease: 2 * tick,
    };
  }

  layout(name: string): Coordinator {
    const layout = checkOneOf(name, 'layout', layouts);
    const known = this.#known.get(layout);
    if (known) return known;
    const made = new ZooKeeperCoordinator(this.#service, { ...this.#view, layout }, this.#known);
    this.#known.set(layout, made);
    return made;
  }

  enter(request: EnterRequest): Promise<Entered> {
    const { layout, mutex } = this.#view;
    const how = layout ?? (request.mutex ? mutex : 'semaphore');
    return checked(() => {
      mustBeOne(how, request.resource, request.capacity);
      return this.#service.enter(request, how);
    });
  }

  renew(permits: readonly Renewal[], options: CallOptions): Promise<Map<string, 'kept' | 'lost'>> {
    return this.#service.renew(permits, options);
  }

  exit(claims: readonly ClaimRef[], options: CallOptions): Promise<void> {
    return this.#service.exit(claims, options);
  }

  wake(claim: ClaimRef, listener: () => void): Unsubscribe {
    return this.#service.wake(claim, listener);
  }

  book(_: BookRequest): Promise<Booking> {
    const error = new ConfigError('ZooKeeper keeps no rates: name another `coordinator` on that resource');
    return Promise.reject(error);
  }

  inspect(resource: string, options: CallOptions): Promise<ResourceState> {
    return this.#service.inspect(resource, options);
  }

  setCapacity(
    resource: string,
    capacity: number | undefined,
    options: CallOptions & { expiresIn?: number },
  ): Promise<void> {
    return checked(() => {
      mustBeOne(this.#view.layout ?? 'semaphore', resource, capacity);
      return this.#service.setCapacity(resource, capacity, options);
    });
  }

  pause(resource: string, ms: number, options: CallOptions & { reason?: string }): Promise<void> {
    return this.#service.pause(resource, ms, options);
  }

  evict(claim: ClaimRef, options: CallOptions): Promise<boolean> {
    return this.#service.evict(claim, options);
  }

  async close(): Promise<void> {
    await this.#service.close();
  }
}

/** Steps never throw: what fails is a promise that rejects. */
function checked<T>(step: () => Promise<T>): Promise<T> {
  try {
    return step();
  } catch (error) {
    return Promise.reject(error);
  }
}
