import type { Clock } from '../../clock.js';
import { ClosedError, ConfigError } from '../../errors.js';
import type { Unsubscribe } from '../../events.js';
import { answered } from '../answer.js';
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
import { kind } from './calls.js';
import { inspect } from './inspect.js';
import { evict, leave } from './leave.js';
import type { EtcdSource } from './open.js';
import { pause, setCapacity } from './operators.js';
import { Renewing } from './renew.js';
import type { Resource } from './resource.js';
import { Site } from './site.js';
import { Stand } from './stand.js';
import { TimeLeft } from './time-left.js';
import { Try } from './try.js';

const features: CoordinatorFeatures = {
  fair: true,
  fencing: true,
  weighted: true,
  semaphore: true,
  rate: false,
  survivesFailover: true,
  minLease: 2_000,
};

/** One side's dealings with an etcd, until it is closed. */
export class EtcdParty implements Coordinator {
  readonly kind = kind;
  readonly features = features;
  readonly #site: Site;
  readonly #clock: Clock;
  readonly #listening = new Set<Unsubscribe>();
  #closed: Promise<void> | undefined;

  constructor(source: EtcdSource, prefix: string, clock: Clock) {
    this.#clock = clock;
    this.#site = new Site(source, prefix, clock);
  }

  /** @internal How many resources are remembered. */
  get size(): number {
    return this.#site.book.size;
  }

  enter(request: EnterRequest): Promise<Entered> {
    return this.#step(request.resource, request, (resource) =>
      request.line
        ? new Stand(this.#site, resource, request).run()
        : new Try(this.#site, resource, request).run(),
    );
  }

  renew(permits: readonly Renewal[], options: CallOptions): Promise<Map<string, 'kept' | 'lost'>> {
    return this.#call(options, (time) => new Renewing(this.#site, time).renew(permits));
  }

  exit(claims: readonly ClaimRef[], options: CallOptions): Promise<void> {
    return this.#call(options, (time) => leave(this.#site, claims, time));
  }

  wake({ resource: name, id }: ClaimRef, listener: () => void): Unsubscribe {
    this.#mustBeOpen();
    const resource = this.#site.book.open(name);
    const remove = resource.listeners.add(id, listener);
    const stop = () => {
      if (!this.#listening.delete(stop)) return;
      remove();
      this.#site.watches.attend(resource);
      this.#site.book.forgetIfIdle(resource);
    };
    this.#listening.add(stop);
    this.#site.watches.attend(resource);
    // It may have come to its turn before anybody listened.
    this.#site.watches.review(resource);
    return stop;
  }

  async book({ resource }: BookRequest): Promise<Booking> {
    this.#mustBeOpen();
    throw new ConfigError(
      `"${resource}" is a rate, which the etcd coordinator cannot keep: name another with \`coordinator\` on that resource`,
    );
  }

  async inspect(name: string, options: CallOptions): Promise<ResourceState> {
    return await this.#step(name, options, (resource, time) => inspect(this.#site, resource, time));
  }

  async setCapacity(
    name: string,
    capacity: number | undefined,
    options: CallOptions & { expiresIn?: number },
  ): Promise<void> {
    await this.#step(name, options, (resource, time) =>
      setCapacity(this.#site, resource, capacity, options.expiresIn, time),
    );
  }

  async pause(name: string, ms: number, options: CallOptions & { reason?: string }): Promise<void> {
    await this.#step(name, options, (resource, time) =>
      pause(this.#site, resource, ms, options.reason, time),
    );
  }

  async evict(claim: ClaimRef, options: CallOptions): Promise<boolean> {
    return await this.#call(options, (time) => evict(this.#site, claim, time));
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    for (const stop of this.#listening) stop();
    await this.#site.close();
  }

  #step<T>(
    name: string,
    options: CallOptions,
    step: (resource: Resource, time: TimeLeft) => Promise<T>,
  ): Promise<T> {
    return this.#call(options, (time) => this.#site.book.step(name, (resource) => step(resource, time)));
  }

  async #call<T>({ timeout }: CallOptions, call: (time: TimeLeft) => Promise<T>): Promise<T> {
    this.#mustBeOpen();
    const time = new TimeLeft(this.#clock, timeout);
    return await answered(this.#site.deadlines, kind, call(time), timeout);
  }

  #mustBeOpen(): void {
    if (this.#closed) throw new ClosedError('The etcd coordinator');
  }
}
