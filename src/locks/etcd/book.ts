import type { Cancel, Clock } from '../../clock.js';
import { keysOf, type ResourceKeys } from './keys.js';
import { type OwnClaim, Resource } from './resource.js';
import type { Session } from './session.js';

/** As many resources' keys are at hand, in use or not. */
const mostKeys = 1_000;

/** What this process has to do with which resource. What it has nothing to do with is forgotten. */
export class Book {
  /** Told of claims that were not renewed in time: their keys are to be deleted. */
  onLapse: ((resource: Resource, claims: readonly OwnClaim[]) => void) | undefined;
  readonly #prefix: string;
  readonly #clock: Clock;
  readonly #resources = new Map<string, Resource>();
  /** Of the resources that were asked for lately: to name them costs more than the rest of what is remembered. */
  readonly #keys = new Map<string, ResourceKeys>();
  #timer: Cancel | undefined;
  #wakeAt = Number.POSITIVE_INFINITY;

  constructor(prefix: string, clock: Clock) {
    this.#prefix = prefix;
    this.#clock = clock;
  }

  /** How many resources are remembered. */
  get size(): number {
    return this.#resources.size;
  }

  get all(): Resource[] {
    return [...this.#resources.values()];
  }

  find(name: string): Resource | undefined {
    return this.#resources.get(name);
  }

  open(name: string): Resource {
    const known = this.#resources.get(name);
    if (known) return known;
    const resource = new Resource(name, this.#keysOf(name));
    this.#resources.set(name, resource);
    return resource;
  }

  #keysOf(name: string): ResourceKeys {
    const known = this.#keys.get(name);
    if (known) return known;
    if (this.#keys.size >= mostKeys) this.#keys.clear();
    const keys = keysOf(this.#prefix, name);
    this.#keys.set(name, keys);
    return keys;
  }

  /** Takes a step with a resource, which is remembered at least until the step is over. */
  async step<T>(name: string, step: (resource: Resource) => Promise<T>): Promise<T> {
    const resource = this.open(name);
    resource.steps++;
    try {
      return await step(resource);
    } finally {
      resource.steps--;
      this.forgetIfIdle(resource);
    }
  }

  forgetIfIdle(resource: Resource): void {
    if (resource.idle && this.#resources.get(resource.name) === resource)
      this.#resources.delete(resource.name);
  }

  /** The keys of all claims that are known here. */
  get keys(): Set<string> {
    return new Set([...this.#claims()].map(({ key }) => key));
  }

  /** The sessions that something is tied to. */
  get sessions(): Set<Session> {
    const sessions = [...this.#claims()].map(({ session }) => session);
    return new Set(sessions.filter((session) => session !== undefined));
  }

  *#claims(): Generator<OwnClaim> {
    for (const { claims } of this.#resources.values()) yield* claims.values();
  }

  /** A session's lease has ended. */
  lose(session: Session): void {
    for (const resource of this.#resources.values()) resource.loseAll(session);
  }

  /** The claim stands for so many milliseconds from the moment `since` on the clock, unless that is known from a later one. */
  extend(claim: OwnClaim, since: number, ms: number): void {
    if (since < claim.since) return;
    claim.since = since;
    claim.until = since + ms;
    this.#schedule(claim.until);
  }

  #schedule(at: number): void {
    if (at >= this.#wakeAt) return;
    this.#wakeAt = at;
    this.#timer?.();
    this.#timer = this.#clock.after(at - this.#clock.now(), () => this.#reap());
  }

  /**
   * A session stands for as long as anybody leans on it; a claim that was left to lapse must not stand with it. A process
   * that stalls cannot do this, but then its session lapses.
   */
  #reap(): void {
    this.#wakeAt = Number.POSITIVE_INFINITY;
    const now = this.#clock.now();
    let next = Number.POSITIVE_INFINITY;
    for (const resource of this.#resources.values()) {
      const lapsed: OwnClaim[] = [];
      for (const claim of resource.claims.values()) {
        if (claim.until <= now) lapsed.push(claim);
        else next = Math.min(next, claim.until);
      }
      if (lapsed.length > 0) this.onLapse?.(resource, lapsed);
    }
    this.#schedule(next);
  }

  close(): void {
    this.#timer?.();
    this.#resources.clear();
  }
}
