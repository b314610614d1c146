import type { Clock } from '../../clock.js';

/** How long a step still has, over all of its calls. */
export class TimeLeft {
  /** On the clock's `now`: before anything was sent. */
  readonly began: number;
  readonly #clock: Clock;
  readonly #end: number;

  constructor(clock: Clock, timeout: number) {
    this.#clock = clock;
    this.began = clock.now();
    this.#end = this.began + timeout;
  }

  /** Milliseconds; 0 when it has none. */
  get ms(): number {
    return Math.max(0, this.#end - this.#clock.now());
  }
}
