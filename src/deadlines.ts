import type { Cancel, Clock } from './clock.js';
import { Crowd, type Member } from './crowd.js';

interface Deadline extends Member {
  /** On the clock's `now`. */
  readonly at: number;
  readonly missed: () => void;
}

/**
 * Deadlines of one owner. A single timer serves them, armed for the earliest, and it goes on when that is met: nearly all
 * are met, and a timer for each would cost more than what it watches.
 */
export class Deadlines implements Pick<Clock, 'after'> {
  readonly #clock: Clock;
  readonly #all = new Crowd<Deadline>();
  #timer: Cancel | undefined;
  #wakeAt = Number.POSITIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Calls back once, `ms` milliseconds from now, unless it is cancelled before. It keeps no process alive. */
  after(ms: number, missed: () => void): Cancel {
    const deadline = { place: -1, at: this.#clock.now() + ms, missed };
    this.#all.add(deadline);
    this.#wake(deadline.at);
    return () => this.#all.delete(deadline);
  }

  #wake(at: number): void {
    if (at >= this.#wakeAt) return;
    this.#wakeAt = at;
    this.#timer?.();
    this.#timer = this.#clock.after(at - this.#clock.now(), this.#tick);
  }

  readonly #tick = (): void => {
    this.#timer = undefined;
    this.#wakeAt = Number.POSITIVE_INFINITY;
    const now = this.#clock.now();
    const missed: Deadline[] = [];
    let next = Number.POSITIVE_INFINITY;
    for (const deadline of this.#all) {
      if (now >= deadline.at) missed.push(deadline);
      else next = Math.min(next, deadline.at);
    }
    this.#wake(next);
    for (const deadline of missed) {
      this.#all.delete(deadline);
      deadline.missed();
    }
  };

  /** Leaves no timer. What is still open is missed by nobody. */
  close(): void {
    this.#all.clear();
    this.#timer?.();
    this.#timer = undefined;
    this.#wakeAt = Number.POSITIVE_INFINITY;
  }
}
