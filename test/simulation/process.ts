import type { Cancel, Clock } from '../../src/clock.js';
import type { Random } from './random.js';
import type { Timeline } from './timeline.js';

/** A process that is played: its clock, and whether it runs. Whatever it does, it does when something happens to it. */
export class PlayedProcess implements Clock {
  readonly time: Timeline;
  readonly #random: Random;
  readonly #ahead: number;
  #runs = true;
  #lives = true;
  #missed: (() => void)[] = [];

  /** `ahead`: how far its wall clock is ahead of others', in milliseconds. */
  constructor(time: Timeline, random: Random, ahead: number) {
    this.time = time;
    this.#random = random;
    this.#ahead = ahead;
  }

  get runs(): boolean {
    return this.#runs && this.#lives;
  }

  now(): number {
    return this.time.now;
  }

  wall(): number {
    return Date.UTC(2026, 0, 1) + this.#ahead + this.time.now;
  }

  after(ms: number, callback: () => void): Cancel {
    let cancelled = false;
    const cancel = this.time.after(ms, () => this.happens(() => cancelled || callback()));
    return () => {
      cancelled = true;
      cancel();
    };
  }

  /** Something happens to it: a timer ends, or something is heard. What happens while it is stopped it finds when it wakes. */
  happens(what: () => void): void {
    if (!this.#lives) return;
    if (this.#runs) what();
    else this.#missed.push(what);
  }

  stop(): void {
    this.#runs = false;
  }

  /** Timers and news wait for it in no order that anybody could rely on. */
  wake(): void {
    if (this.#runs) return;
    this.#runs = true;
    const missed = this.#missed;
    this.#missed = [];
    if (this.#random.chance(0.5)) missed.sort(() => this.#random.next() - 0.5);
    for (const what of missed) this.time.after(0, () => this.happens(what));
  }

  /** Nothing happens to it any more. */
  kill(): void {
    this.#lives = false;
  }
}
