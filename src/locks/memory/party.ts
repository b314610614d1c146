import { ClosedError } from '../../errors.js';
import type { Unsubscribe } from '../../events.js';
import type { Soon } from '../../soon.js';
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
import type { MemoryService } from './service.js';

const features: CoordinatorFeatures = {
  fair: true,
  fencing: true,
  weighted: true,
  semaphore: true,
  rate: true,
  survivesFailover: false,
  minLease: 1,
};

/** One side of the service: it is answered until it is closed. */
export class MemoryParty implements Coordinator {
  readonly kind = 'memory';
  readonly features = features;
  readonly #service: MemoryService;
  readonly #listening = new Set<Unsubscribe>();
  #closed = false;

  constructor(service: MemoryService) {
    this.#service = service;
  }

  enter(request: EnterRequest): Soon<Entered> {
    try {
      return this.#open().enter(request);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async renew(permits: readonly Renewal[]): Promise<Map<string, 'kept' | 'lost'>> {
    return this.#open().renew(permits);
  }

  exit(claims: readonly ClaimRef[]): Soon<void> {
    try {
      return this.#open().exit(claims);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  wake(claim: ClaimRef, listener: () => void): Unsubscribe {
    const remove = this.#open().wake(claim, listener);
    this.#listening.add(remove);
    return () => {
      if (this.#listening.delete(remove)) remove();
    };
  }

  async book(request: BookRequest): Promise<Booking> {
    return this.#open().book(request);
  }

  async inspect(resource: string): Promise<ResourceState> {
    return this.#open().inspect(resource);
  }

  async setCapacity(
    resource: string,
    capacity: number | undefined,
    options: CallOptions & { expiresIn?: number },
  ): Promise<void> {
    this.#open().setCapacity(resource, capacity, options.expiresIn);
  }

  async pause(resource: string, ms: number, options: CallOptions & { reason?: string }): Promise<void> {
    this.#open().pause(resource, ms, options.reason);
  }

  async evict(claim: ClaimRef): Promise<boolean> {
    return this.#open().evict(claim);
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const remove of this.#listening) remove();
    this.#listening.clear();
  }

  #open(): MemoryService {
    if (this.#closed) throw new ClosedError('The memory coordinator');
    return this.#service;
  }
}
