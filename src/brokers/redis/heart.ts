/** Of beats, every so many look for messages too, in case somebody was to wake this worker and died. */
const pollEvery = 3;

/** Milliseconds between two beats, at most: they are also how a worker knows that its broker is there. */
const longestInterval = 5_000;

/** Milliseconds after which a beat that failed is repeated, at most. */
const longestPause = 1_000;

/** Milliseconds that others may need until they are connected again. */
const reconnecting = 2_000;

export interface Beat {
  /** It is to look for messages too. */
  readonly poll: boolean;
  readonly mayBury: boolean;
}

/** In how many ms the next worker would count as dead; `late` when this one nearly did. */
export type BeatAnswer = number | 'late';

/**
 * Says that a worker lives, three times a lease or more. When a worker would count as dead before the next beat, there is
 * one just then, so that what a dead worker had comes back within its lease.
 *
 * A beat that is late, or not answered, may mean that the server was away, for others too. So whoever was late, or has
 * just come, gives them time to be heard of before it buries anybody; and it has one beat under way at a time, for after
 * a freeze the server would take several for punctual ones.
 */
export class Heart {
  readonly #interval: number;
  readonly #grace: number;
  readonly #beat: (beat: Beat) => Promise<BeatAnswer>;
  #regular: NodeJS.Timeout | undefined;
  #extra: NodeJS.Timeout | undefined;
  /** On the monotonic clock, in ms. */
  #next = 0;
  #buriesFrom = 0;
  #beats = 0;
  #isUnderWay = false;
  #stopped = false;

  constructor(lease: number, beat: (beat: Beat) => Promise<BeatAnswer>) {
    this.#interval = Math.min(longestInterval, Math.max(10, lease / 3));
    this.#grace = Math.min(lease, Math.max(this.#interval, reconnecting));
    this.#beat = beat;
  }

  start(): void {
    this.#wait();
    this.#next = performance.now() + this.#interval;
    this.#regular = setInterval(() => {
      this.#next = performance.now() + this.#interval;
      void this.#tick(++this.#beats % pollEvery === 0);
    }, this.#interval);
    this.#regular.unref();
  }

  stop(): void {
    this.#stopped = true;
    clearInterval(this.#regular);
    clearTimeout(this.#extra);
  }

  /** Beats now, and not only when it is time. */
  now(): void {
    void this.#tick(true);
  }

  /** Others may need a while to be heard of. */
  #wait(): void {
    this.#buriesFrom = performance.now() + this.#grace;
  }

  async #tick(poll: boolean): Promise<void> {
    if (this.#stopped || !this.#regular || this.#isUnderWay) return;
    this.#isUnderWay = true;
    try {
      const answer = await this.#beat({ poll, mayBury: performance.now() >= this.#buriesFrom });
      if (answer === 'late') this.#wait();
      else this.#expect(answer);
    } catch {
      this.#wait();
      this.#beatIn(Math.min(longestPause, this.#interval / 3));
    } finally {
      this.#isUnderWay = false;
    }
  }

  /** Somebody would count as dead in so many ms. */
  #expect(ms: number): void {
    const at = Math.max(performance.now() + ms + 1, this.#buriesFrom);
    if (at < this.#next) this.#beatIn(at - performance.now());
  }

  #beatIn(ms: number): void {
    if (this.#stopped) return;
    clearTimeout(this.#extra);
    this.#extra = setTimeout(() => void this.#tick(false), ms);
    this.#extra.unref();
  }
}
