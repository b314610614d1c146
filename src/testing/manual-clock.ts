import type { Cancel, Clock } from '../clock.js';
import { type Duration, milliseconds } from '../duration.js';

interface Timer {
  readonly at: number;
  readonly order: number;
  readonly callback: () => void;
}

/** More timers than this at one instant are one that sets itself again. */
const mostAtOnce = 10_000;

/**
 * A clock that stands still until it is told to go on. `advance` runs the timers that come due, each at its own moment,
 * and lets what they started settle before it runs the next.
 */
export class ManualClock implements Clock {
  readonly #timers = new Set<Timer>();
  readonly #start: number;
  #now = 0;
  #order = 0;

  /** `start`: the wall clock's beginning, in milliseconds since 1970. Default: 2026-01-01. */
  constructor(start: number = Date.UTC(2026, 0, 1)) {
    this.#start = start;
  }

  now(): number {
    return this.#now;
  }

  wall(): number {
    return this.#start + this.#now;
  }

  after(ms: number, callback: () => void): Cancel {
    const timer = { at: this.#now + Math.max(0, ms), order: this.#order++, callback };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** Milliseconds until the next timer, if there is one. */
  get next(): number | undefined {
    const timer = this.#first();
    return timer && timer.at - this.#now;
  }

  /** Lets `duration` pass. */
  async advance(duration: Duration): Promise<void> {
    const end = this.#now + milliseconds(duration, 'duration');
    await settle();
    let atOnce = 0;
    for (let timer = this.#first(); timer && timer.at <= end; timer = this.#first()) {
      atOnce = timer.at > this.#now ? 0 : atOnce + 1;
      if (atOnce > mostAtOnce)
        throw new Error(`A timer is set again and again at ${this.#now} ms: time cannot advance`);
      this.#timers.delete(timer);
      this.#now = Math.max(this.#now, timer.at);
      timer.callback();
      await settle();
    }
    this.#now = end;
    await settle();
  }

  /**
   * Sets the time forward without running a timer, as for a process that was suspended or whose event loop is blocked.
   * What came due runs at the next `advance`.
   */
  jump(duration: Duration): void {
    this.#now += milliseconds(duration, 'duration');
  }

  #first(): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of this.#timers) {
      if (!first || timer.at < first.at || (timer.at === first.at && timer.order < first.order))
        first = timer;
    }
    return first;
  }
}

/** Lets everything that can go on without time passing go on. */
export async function settle(): Promise<void> {
  for (let round = 0; round < 4; round++) await new Promise((resolve) => setImmediate(resolve));
}
