import type { Cancel, Clock } from '../clock.js';

/** A turn at standing in line. */
export interface Place {
  /** Aborts when the turn is over. */
  readonly signal: AbortSignal;
  leave(): void;
}

interface Held {
  readonly since: number;
  readonly end: AbortController;
}

/** Places in line that a worker may hold at once. */
const mostPlaces = 256;
/** When others wait for a place, a turn is over after this long, in milliseconds. */
const turn = 1_000;
/** A step of the clock that survives rounding, in milliseconds: the timer never comes back to the instant it ran at. */
const soonest = 0.01;

/**
 * A worker's places in all lines together. Each place costs its coordinator something, so there is a bound, and beyond
 * it the doormen take turns.
 */
export class Places {
  readonly #clock: Clock;
  readonly #most: number;
  /** Whose turn goes on, the longest first. */
  readonly #turns = new Set<Held>();
  /** Those who are told to leave, and have not left yet, stand there too. */
  #taken = 0;
  readonly #waiting: (() => void)[] = [];
  #timer: Cancel | undefined;

  constructor(clock: Clock, most = mostPlaces) {
    this.#clock = clock;
    this.#most = most;
  }

  /** A place, at once or in turn. `onWait` is called when it is not at once. */
  async get(leaving: AbortSignal, onWait: () => void): Promise<Place> {
    if (this.#taken < this.#most) {
      this.#taken++;
    } else {
      onWait();
      await this.#handedOver(leaving);
    }
    const held: Held = { since: this.#clock.now(), end: new AbortController() };
    const onLeaving = () => held.end.abort(leaving.reason);
    if (leaving.aborted) onLeaving();
    else leaving.addEventListener('abort', onLeaving, { once: true });
    this.#turns.add(held);
    this.#rotate();
    return {
      signal: held.end.signal,
      leave: () => {
        leaving.removeEventListener('abort', onLeaving);
        this.#turns.delete(held);
        this.#leave();
      },
    };
  }

  /** The place goes to the one who has waited for it the longest: nobody who comes now slips in between. */
  #leave(): void {
    const next = this.#waiting.shift();
    if (next) next();
    else this.#taken--;
  }

  #handedOver(leaving: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const onLeaving = () => {
        // Nobody's turn comes any more, so whoever waits stops waiting; the count is of no interest.
        this.#taken++;
        resolve();
      };
      leaving.addEventListener('abort', onLeaving, { once: true });
      this.#waiting.push(() => {
        leaving.removeEventListener('abort', onLeaving);
        resolve();
      });
      this.#rotate();
    });
  }

  /** Ends the turns of those who have stood the longest, as many as wait. */
  #rotate(): void {
    const [oldest] = this.#turns;
    if (this.#timer || this.#waiting.length === 0 || !oldest) return;
    const due = oldest.since + turn - this.#clock.now();
    this.#timer = this.#clock.after(Math.max(soonest, due), () => {
      this.#timer = undefined;
      const before = this.#clock.now() - turn;
      let others = this.#waiting.length;
      for (const held of this.#turns) {
        if (others-- === 0 || held.since > before) break;
        this.#turns.delete(held);
        held.end.abort();
      }
      this.#rotate();
    });
  }

  close(): void {
    this.#timer?.();
  }
}
