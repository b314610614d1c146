import type { Cancel, Clock } from '../clock.js';

/** A turn at standing in line. */
export interface Place {
  /** Aborts when the turn is over. */
  readonly signal: AbortSignal;
  leave(): void;
}

/** Places in line that a worker may hold at once. */
const mostPlaces = 256;
/** When others wait for a place, a turn is over after this long, in milliseconds. */
const turn = 1_000;

/**
 * A worker's places in all lines together. Each place costs its coordinator something, so there is a bound, and beyond
 * it the doormen take turns.
 */
export class Places {
  readonly #clock: Clock;
  readonly #most: number;
  readonly #held = new Set<{ since: number; end: AbortController }>();
  readonly #waiting: (() => void)[] = [];
  #timer: Cancel | undefined;

  constructor(clock: Clock, most = mostPlaces) {
    this.#clock = clock;
    this.#most = most;
  }

  /** A place, at once or in turn. `onWait` is called when it is not at once. */
  async get(leaving: AbortSignal, onWait: () => void): Promise<Place> {
    if (this.#held.size >= this.#most) {
      onWait();
      await this.#turn(leaving);
    }
    const held = { since: this.#clock.now(), end: new AbortController() };
    const onLeaving = () => held.end.abort(leaving.reason);
    if (leaving.aborted) onLeaving();
    else leaving.addEventListener('abort', onLeaving, { once: true });
    this.#held.add(held);
    return {
      signal: held.end.signal,
      leave: () => {
        leaving.removeEventListener('abort', onLeaving);
        this.#held.delete(held);
        this.#waiting.shift()?.();
      },
    };
  }

  #turn(leaving: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const onLeaving = () => resolve();
      leaving.addEventListener('abort', onLeaving, { once: true });
      this.#waiting.push(() => {
        leaving.removeEventListener('abort', onLeaving);
        resolve();
      });
      this.#rotate();
    });
  }

  /** Ends the turns of those who have stood the longest, as long as somebody waits. */
  #rotate(): void {
    if (this.#timer || this.#waiting.length === 0) return;
    const [oldest] = this.#held;
    const due = Math.max(0, (oldest?.since ?? 0) + turn - this.#clock.now());
    this.#timer = this.#clock.after(due, () => {
      this.#timer = undefined;
      const before = this.#clock.now() - turn;
      let others = this.#waiting.length;
      for (const held of this.#held) if (others > 0 && held.since <= before && others--) held.end.abort();
      this.#rotate();
    });
  }

  close(): void {
    this.#timer?.();
  }
}
