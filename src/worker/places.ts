import type { Cancel, Clock } from '../clock.js';

/** A turn at standing in line. */
export interface Place {
  /** Aborts when the turn is over. */
  readonly signal: AbortSignal;
  /** The line has let it in, so its turn begins. */
  stands(): void;
  /** Its turn is over already. */
  end(): void;
  leave(): void;
}

interface Held {
  readonly since: number;
  readonly end: AbortController;
  /** On the clock's `now`. */
  until: number;
}

/** Places in line that a worker may hold at once. */
const mostPlaces = 256;
/**
 * When others wait for a place, a turn is over after this long, in milliseconds; but it lasts ten times as long as it took
 * to get into the line, up to a bound. For what is slow is busy, and whoever left before he was answered would make it
 * busier, and never get anything.
 */
const turn = { least: 1_000, most: 15_000, waits: 10 };
/** A step of the clock that survives rounding, in milliseconds: the timer never comes back to the instant it ran at. */
const soonest = 0.01;
/** Made once: the engine looks at the stack for each error, and turns end by the thousand. */
const turnOver = new Error('Its turn at standing in line is over');

/**
 * A worker's places in all lines together. Each place costs its coordinator something, so there is a bound, and beyond
 * it the doormen take turns.
 *
 * There may be ten thousand who wait. So they do not listen for the end each by himself: a signal looks through all its
 * listeners for each that comes or goes.
 */
export class Places {
  readonly #clock: Clock;
  readonly #leaving: AbortSignal;
  readonly #most: number;
  /** All who have not been told to leave. */
  readonly #held = new Set<Held>();
  /** Of these, whose turn has begun, the longest first. */
  readonly #turns = new Set<Held>();
  /** Those who are told to leave, and have not left yet, stand there too. */
  #taken = 0;
  /** The longest first. */
  readonly #waiting = new Set<() => void>();
  #timer: Cancel | undefined;

  /** `leaving` aborts when the worker leaves the lines. */
  constructor(clock: Clock, leaving: AbortSignal, most = mostPlaces) {
    this.#clock = clock;
    this.#leaving = leaving;
    this.#most = most;
    leaving.addEventListener('abort', () => this.#endAll(), { once: true });
  }

  /** There are more doormen than places. */
  get scarce(): boolean {
    return this.#waiting.size > 0;
  }

  /** A place, at once or in turn. `onWait` is called when it is not at once. */
  async get(onWait: () => void): Promise<Place> {
    if (this.#taken < this.#most) {
      this.#taken++;
    } else {
      onWait();
      await this.#handedOver();
    }
    const held: Held = { since: this.#clock.now(), end: new AbortController(), until: 0 };
    if (this.#leaving.aborted) held.end.abort(this.#leaving.reason);
    this.#held.add(held);
    return {
      signal: held.end.signal,
      stands: () => this.#begin(held),
      end: () => this.#end(held),
      leave: () => {
        this.#forget(held);
        this.#leave();
      },
    };
  }

  #begin(held: Held): void {
    if (this.#turns.has(held) || !this.#held.has(held)) return;
    const now = this.#clock.now();
    held.until = now + Math.min(turn.most, Math.max(turn.least, turn.waits * (now - held.since)));
    this.#turns.add(held);
    this.#rotate();
  }

  #end(held: Held): void {
    this.#forget(held);
    held.end.abort(turnOver);
  }

  #forget(held: Held): void {
    this.#held.delete(held);
    this.#turns.delete(held);
  }

  /** The place goes to the one who has waited for it the longest: nobody who comes now slips in between. */
  #leave(): void {
    const [next] = this.#waiting;
    if (next) next();
    else this.#taken--;
  }

  #handedOver(): Promise<void> {
    return new Promise((resolve) => {
      const come = () => {
        this.#waiting.delete(come);
        resolve();
      };
      this.#waiting.add(come);
      if (this.#leaving.aborted) this.#comeAll();
      this.#rotate();
    });
  }

  #endAll(): void {
    for (const { end } of this.#held) end.abort(this.#leaving.reason);
    this.#comeAll();
  }

  /** Nobody's turn comes any more, so whoever waits stops waiting. */
  #comeAll(): void {
    for (const come of this.#waiting) {
      this.#taken++;
      come();
    }
  }

  /** Ends the turns of those who have stood the longest, as many as wait. */
  #rotate(): void {
    const [oldest] = this.#turns;
    if (this.#timer || this.#waiting.size === 0 || !oldest) return;
    const due = oldest.until - this.#clock.now();
    this.#timer = this.#clock.after(Math.max(soonest, due), () => {
      this.#timer = undefined;
      const now = this.#clock.now();
      let others = this.#waiting.size;
      for (const held of this.#turns) {
        if (others-- === 0 || held.until > now) break;
        this.#end(held);
      }
      this.#rotate();
    });
  }

  close(): void {
    this.#timer?.();
  }
}
