import { randomInt } from 'node:crypto';
import type { Hearing } from '../../redis/channels.js';
import { type Beat, type BeatAnswer, Heart } from './heart.js';
import { wakeChannel } from './layout.js';
import type { RedisQueue } from './queue.js';
import * as living from './steps/living.js';
import type { Reply, Step } from './steps/step.js';

export interface MembershipHost {
  readonly lease: number;
  /** Somebody has published. The word may be a message that is in its hands now. */
  onWoken(word: string): void;
  /** What was told meanwhile was not heard. */
  onHearing(): void;
  /** It is known under a new number, and has nothing in hand. */
  onJoined(): void;
  /** A beat that looks for messages too; nothing when this worker counts as dead. */
  poll(mayBury: boolean): Promise<BeatAnswer | undefined>;
  onError(error: unknown): void;
}

/**
 * A worker's place among those that serve a queue: the number it is known by, under which it takes every step, and its
 * beats.
 *
 * A worker that does not beat for a lease is buried by another: its number is unknown from then on, every step under it
 * is refused, and what it had is somebody else's. It joins again under a new number, with nothing in hand.
 */
export class Membership {
  /** Empty while it is not known there. */
  number = '';
  /** On the monotonic clock, in ms: when the broker answered last. */
  heardAt = performance.now();
  readonly #queue: RedisQueue;
  readonly #host: MembershipHost;
  readonly #heart: Heart;
  #hearing: Hearing | undefined;
  #joining: Promise<void> | undefined;
  #isOver = false;

  constructor(queue: RedisQueue, host: MembershipHost) {
    this.#queue = queue;
    this.#host = host;
    this.#heart = new Heart(host.lease, (beat) => this.#beat(beat));
  }

  async join(): Promise<void> {
    await this.#joinOnce();
    this.#heart.start();
  }

  /** Beats now, and not only when it is time. */
  beatNow(): void {
    if (!this.#isOver) this.#heart.now();
  }

  /** A step under this worker's number. Nothing when that is not known: then nothing was done. */
  async step(step: Step, args: readonly (string | number)[]): Promise<Reply | undefined> {
    const { number } = this;
    if (number === '') return undefined;
    const reply = await this.#queue.step(step, [number, ...args]);
    this.heardAt = performance.now();
    if (Number(reply[0]) === 1) return reply;
    if (number === this.number) {
      this.number = '';
      this.beatNow();
    }
    return undefined;
  }

  /** Leaves. What is in hand goes to others at once. */
  async leave(): Promise<void> {
    const { number } = this;
    this.vanish();
    if (number !== '') await this.#queue.step(living.leave, [number]);
  }

  /** Does nothing any more, and says so to nobody. */
  vanish(): void {
    this.#isOver = true;
    this.#heart.stop();
    this.#hearing?.stop();
  }

  #joinOnce(): Promise<void> {
    this.#joining ??= this.#join().finally(() => {
      this.#joining = undefined;
    });
    return this.#joining;
  }

  async #join(): Promise<void> {
    const { keys, link } = this.#queue;
    const number = String(randomInt(1, 2 ** 48 - 1));
    const isMine = () => this.number === number && !this.#isOver;
    this.#hearing?.stop();
    this.#hearing = link.channels.hear(wakeChannel(keys, number), {
      onMessage: (word) => isMine() && this.#host.onWoken(word),
      onHearing: () => isMine() && this.#host.onHearing(),
    });
    await link.heard(this.#hearing.begun);
    // Also when it was there before: somebody may have emptied the database.
    await this.#queue.open();
    await this.#queue.step(living.join, [number, this.#host.lease]);
    this.number = number;
    this.#host.onJoined();
  }

  async #beat({ poll, mayBury }: Beat): Promise<BeatAnswer> {
    try {
      if (this.number === '') await this.#joinOnce();
      const answer = poll ? await this.#host.poll(mayBury) : await this.#beatOnly(mayBury);
      return answer ?? 'late';
    } catch (error) {
      this.#host.onError(error);
      throw error;
    }
  }

  async #beatOnly(mayBury: boolean): Promise<BeatAnswer | undefined> {
    const reply = await this.step(living.beat, [this.#host.lease, mayBury ? 1 : 0]);
    return reply && beatAnswer(Number(reply[1]));
  }
}

/** Milliseconds as a script tells them. */
export function beatAnswer(others: number): BeatAnswer {
  return others < 0 ? 'late' : others;
}
