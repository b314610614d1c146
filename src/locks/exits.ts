import type { Cancel, Clock } from '../clock.js';
import type { Deadlines } from '../deadlines.js';
import type { Events } from '../events.js';
import type { Soon } from '../soon.js';
import { stepAnswered } from './answer.js';
import type { ClaimRef, Coordinator } from './coordinator.js';
import type { LockEvents } from './events.js';

interface Leaving {
  readonly claim: ClaimRef;
  /** On the clock's `now`: by then it has lapsed by itself. */
  readonly until: number;
}

const pause = 500;
const done = Promise.resolve();

/**
 * Gives claims back that may or may not be there. One call is out at a time: what leaves meanwhile leaves together in the
 * next. What could not be given back is tried again until it has lapsed by itself. Nothing here rejects.
 */
export class Exits {
  readonly #coordinator: Coordinator;
  readonly #clock: Clock;
  readonly #deadlines: Deadlines;
  readonly #events: Events<LockEvents>;
  readonly #timeout: number;
  #out: Promise<void> | undefined;
  /** Leave with the next call, which is promised as `left`. */
  #next: Leaving[] = [];
  #left: Promise<void> | undefined;
  #failed: Leaving[] = [];
  #again: Cancel | undefined;
  #error: unknown;
  #over = false;

  constructor(options: {
    readonly coordinator: Coordinator;
    readonly clock: Clock;
    readonly deadlines: Deadlines;
    readonly events: Events<LockEvents>;
    /** Milliseconds. */
    readonly callTimeout: number;
  }) {
    this.#coordinator = options.coordinator;
    this.#clock = options.clock;
    this.#deadlines = options.deadlines;
    this.#events = options.events;
    this.#timeout = options.callTimeout;
  }

  /** Resolves when it was tried once. `patience`: milliseconds for which it is worth trying again. */
  exit(claim: ClaimRef, patience: number): Promise<void> {
    if (this.#over) return done;
    if (this.#out || this.#left) return this.#join([{ claim, until: this.#clock.now() + patience }]);
    const answer = this.#ask([claim]);
    if (!(answer instanceof Promise)) return done;
    return this.#follow(answer, [{ claim, until: this.#clock.now() + patience }]);
  }

  #join(all: readonly Leaving[]): Promise<void> {
    for (const one of all) this.#next.push(one);
    this.#left ??= (this.#out ?? done).then(() => this.#leave());
    return this.#left;
  }

  #leave(): Promise<void> {
    const all = this.#next;
    this.#next = [];
    this.#left = undefined;
    if (this.#over) return done;
    const answer = this.#ask(all.map(({ claim }) => claim));
    return answer instanceof Promise ? this.#follow(answer, all) : done;
  }

  /** No coordinator may throw; one that does keeps nobody from leaving. */
  #ask(claims: readonly ClaimRef[]): Soon<void> {
    try {
      return this.#coordinator.exit(claims, { timeout: this.#timeout });
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #follow(answer: Promise<void>, all: readonly Leaving[]): Promise<void> {
    const out = this.#given(answer, all);
    this.#out = out;
    return out;
  }

  async #given(answer: Promise<void>, all: readonly Leaving[]): Promise<void> {
    try {
      await stepAnswered(this.#deadlines, this.#coordinator, answer, this.#timeout);
    } catch (error) {
      this.#keep(all, error);
    } finally {
      this.#out = undefined;
    }
  }

  #keep(all: readonly Leaving[], error: unknown): void {
    if (this.#over) return;
    const now = this.#clock.now();
    this.#error = error;
    this.#giveUp(all.filter(({ until }) => now >= until));
    for (const one of all) if (now < one.until) this.#failed.push(one);
    if (this.#failed.length > 0) this.#again ??= this.#clock.after(pause, () => this.#tryAgain());
  }

  #tryAgain(): void {
    this.#again = undefined;
    void this.#join(this.#failed.splice(0));
  }

  #giveUp(all: readonly Leaving[]): void {
    const error = this.#error;
    for (const { claim } of all)
      this.#events.emit('permit.releaseFailed', { resource: claim.resource, error });
  }

  /** Lets everything leave that can leave now. The rest lapses by itself. */
  async close(): Promise<void> {
    this.#again?.();
    if (this.#failed.length > 0) void this.#tryAgain();
    for (let last = this.#left ?? this.#out; last; last = this.#left ?? this.#out) await last;
    this.kill();
    this.#giveUp(this.#failed.splice(0));
  }

  /** As a process that dies. */
  kill(): void {
    this.#over = true;
    this.#again?.();
  }
}
