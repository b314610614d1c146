import type { Cancel, Clock } from '../../src/clock.js';
import { CoordinatorUnavailableError } from '../../src/errors.js';
import type { Unsubscribe } from '../../src/events.js';
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
} from '../../src/locks/coordinator.js';

/** The steps of the contract that go over a network. */
export type Step = 'enter' | 'renew' | 'exit' | 'book' | 'inspect' | 'setCapacity' | 'pause' | 'evict';

/** What becomes of a call. Milliseconds are on the clock of the test. */
export interface Fate {
  /** It takes effect: at once (default), after so many milliseconds, or never. */
  readonly effect?: number | 'never';
  /** Its answer comes so many milliseconds after the effect, or never. Default: at once. */
  readonly answer?: number | 'never';
  /** Instead of the answer, this error. */
  readonly error?: Error;
}

export interface Call {
  readonly step: Step;
  /** On the clock's `now`. */
  readonly at: number;
  readonly ids: readonly string[];
  readonly resources: readonly string[];
  /** The deadline it was given. */
  readonly timeout: number;
}

const unreachable = new CoordinatorUnavailableError('memory', { cause: new Error('scripted') });

export const fate = {
  ordinary: {} as Fate,
  /** The request never arrives, and the client says so at once. */
  down: { effect: 'never', error: unreachable } as Fate,
  /** The request never arrives, and the client says so after its timeout. */
  timesOut: (ms: number): Fate => ({ effect: 'never', answer: ms, error: unreachable }),
  /** It is done, and nobody hears of it: the client gives up at once, or after so many milliseconds. */
  replyLost: (ms = 0): Fate => ({ answer: ms, error: unreachable }),
  /** The request never arrives, and the client never says so. */
  hangs: { effect: 'never', answer: 'never' } as Fate,
  /** It is done, and the client never says so. */
  hangsAfterwards: { answer: 'never' } as Fate,
  /** It is done at once, and the answer takes so long. */
  slowReply: (ms: number): Fate => ({ answer: ms }),
  /** The request takes so long, and is answered at once. */
  slowRequest: (ms: number): Fate => ({ effect: ms }),
  /** Fails with an error that no coordinator should fail with. */
  broken: (message = 'scripted'): Fate => ({ effect: 'never', error: new Error(message) }),
};

/**
 * A coordinator that does as the test says: to each call happens what was written down for it, else what the one behind
 * it answers. Several may stand before one service, as the connections of several processes do. Every answer comes in a
 * promise, as from a server.
 */
export class ScriptedCoordinator implements Coordinator {
  readonly kind: string;
  readonly features: CoordinatorFeatures;
  /** Every call, in the order in which they were sent. */
  readonly log: Call[] = [];
  /** Never rings. */
  deaf = false;
  /** How many wait to be rung. */
  listening = 0;
  readonly #inner: Coordinator;
  readonly #clock: Clock;
  readonly #next = new Map<Step, Fate[]>();
  readonly #always = new Map<Step, Fate>();
  readonly #timers = new Set<Cancel>();
  readonly #out = new Map<string, number>();
  readonly #most = new Map<string, number>();

  constructor(inner: Coordinator, clock: Clock, features: Partial<CoordinatorFeatures> = {}) {
    this.#inner = inner;
    this.#clock = clock;
    this.kind = inner.kind;
    this.features = { ...inner.features, ...features };
  }

  /** What becomes of the next calls of this step, in turn. */
  next(step: Step, ...fates: Fate[]): void {
    this.#next.set(step, [...(this.#next.get(step) ?? []), ...fates]);
  }

  /** What becomes of the calls of these steps from now on. */
  always(fate: Fate, ...steps: Step[]): void {
    const all: Step[] = ['enter', 'renew', 'exit', 'book', 'inspect', 'setCapacity', 'pause', 'evict'];
    for (const step of steps.length > 0 ? steps : all) this.#always.set(step, fate);
  }

  /** From now on all is well again. */
  heal(): void {
    this.#always.clear();
    this.#next.clear();
  }

  /** How many calls of this step there were, for this resource if one is named. */
  count(step: Step, resource?: string): number {
    return this.log.filter((call) => call.step === step && (!resource || call.resources.includes(resource)))
      .length;
  }

  /** How many calls of this step were out at the same time, at most. */
  most(step: Step): number {
    return this.#most.get(step) ?? 0;
  }

  enter(request: EnterRequest): Promise<Entered> {
    const ids = request.claims.map(({ id }) => id);
    return this.#play('enter', ids, [request.resource], request, async () => {
      const answer = await this.#inner.enter(request);
      if (answer.kind !== 'granted' || this.features.fencing) return answer;
      return { ...answer, grants: answer.grants.map(({ id, lease }) => ({ id, lease })) };
    });
  }

  renew(permits: readonly Renewal[], options: CallOptions): Promise<Map<string, 'kept' | 'lost'>> {
    return this.#playAll('renew', permits, options, () => this.#inner.renew(permits, options));
  }

  exit(claims: readonly ClaimRef[], options: CallOptions): Promise<void> {
    return this.#playAll('exit', claims, options, async () => await this.#inner.exit(claims, options));
  }

  wake(claim: ClaimRef, listener: () => void): Unsubscribe {
    const unsubscribe = this.#inner.wake(claim, () => {
      if (!this.deaf) listener();
    });
    this.listening++;
    return () => {
      this.listening--;
      unsubscribe();
    };
  }

  book(request: BookRequest): Promise<Booking> {
    return this.#play('book', [request.id], [request.resource], request, () => this.#inner.book(request));
  }

  inspect(resource: string, options: CallOptions): Promise<ResourceState> {
    return this.#play('inspect', [], [resource], options, () => this.#inner.inspect(resource, options));
  }

  setCapacity(resource: string, capacity: number | undefined, options: CallOptions & { expiresIn?: number }) {
    return this.#play('setCapacity', [], [resource], options, () =>
      this.#inner.setCapacity(resource, capacity, options),
    );
  }

  pause(resource: string, ms: number, options: CallOptions & { reason?: string }): Promise<void> {
    return this.#play('pause', [], [resource], options, () => this.#inner.pause(resource, ms, options));
  }

  evict(claim: ClaimRef, options: CallOptions): Promise<boolean> {
    return this.#playAll('evict', [claim], options, () => this.#inner.evict(claim, options));
  }

  /** What is still out stays unanswered. The service behind it goes on. */
  async close(): Promise<void> {
    for (const cancel of this.#timers) cancel();
    this.#timers.clear();
  }

  #playAll<T>(
    step: Step,
    claims: readonly ClaimRef[],
    options: CallOptions,
    call: () => Promise<T>,
  ): Promise<T> {
    const ids = claims.map(({ id }) => id);
    const resources = claims.map(({ resource }) => resource);
    return this.#play(step, ids, resources, options, call);
  }

  async #play<T>(
    step: Step,
    ids: readonly string[],
    resources: readonly string[],
    { timeout }: CallOptions,
    call: () => Promise<T>,
  ): Promise<T> {
    this.log.push({ step, at: this.#clock.now(), ids, resources, timeout });
    const { effect = 0, answer = 0, error } = this.#next.get(step)?.shift() ?? this.#always.get(step) ?? {};
    const out = (this.#out.get(step) ?? 0) + 1;
    this.#out.set(step, out);
    this.#most.set(step, Math.max(this.most(step), out));
    try {
      const done = effect === 'never' ? undefined : this.#pass(effect).then(call);
      done?.catch(() => {});
      await (answer === 'never' ? new Promise(() => {}) : Promise.all([done, this.#pass(answer, done)]));
      if (error) throw error;
      return (await done) as T;
    } finally {
      this.#out.set(step, (this.#out.get(step) ?? 0) - 1);
    }
  }

  async #pass(ms: number, after?: Promise<unknown>): Promise<void> {
    await after;
    if (ms === 0) return;
    await new Promise<void>((resolve) => {
      const cancel = this.#clock.after(ms, () => {
        this.#timers.delete(cancel);
        resolve();
      });
      this.#timers.add(cancel);
    });
  }
}
