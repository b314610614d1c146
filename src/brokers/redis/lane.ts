import { AsyncResource } from 'node:async_hooks';
import type { Room } from '../broker.js';
import { Alarm } from './alarm.js';
import { Certainty } from './certainty.js';
import {
  type FetchReply,
  type Handed,
  handedFrom,
  handedIn,
  handedInWord,
  type TakenReply,
} from './handed.js';
import type { BeatAnswer } from './heart.js';
import type { LaneHost } from './lane-host.js';
import { beatAnswer, Membership, type MembershipHost } from './membership.js';
import type { Neighbour, RedisQueue } from './queue.js';
import { argumentsOf, type Settlement } from './settlement.js';
import * as delivering from './steps/delivering.js';
import * as living from './steps/living.js';

export type TakeReply =
  | { readonly kind: 'taken'; readonly handed: Handed }
  | { readonly kind: 'other'; readonly weight: number }
  | { readonly kind: 'empty' }
  | { readonly kind: 'void' };

/** The first of a room, if it has this weight. */
export interface RoomHead {
  readonly resource: string;
  readonly weight: number;
}

/** What becomes of what was taken. */
export type Receive<T> = (lane: Lane, reply: TakeReply) => T;

export interface FetchOptions {
  readonly wanted: number;
  /** Deliveries that end before. */
  readonly settlements?: readonly Settlement[] | undefined;
  /** It says too that this worker lives. */
  readonly beat?: { readonly mayBury: boolean } | undefined;
}

/** One worker in one queue, and the steps it takes there. */
export class Lane implements MembershipHost, Neighbour {
  readonly queue: RedisQueue;
  readonly lease: number;
  /** Nothing was there to fetch, and this worker will be woken. */
  quiet = false;
  readonly #host: LaneHost;
  readonly #membership: Membership;
  #wakes = 0;
  #turns = 0;
  /** On the monotonic clock, in ms: a room may be untended from then on. */
  #untendedAt = 0;
  /** When a message is due. */
  readonly #due = new Alarm(() => void this.#look());
  #beatAnswer: BeatAnswer | undefined;
  /** In publish order: what was handed out before and is not known of has gone back. */
  #gone = 0;
  /** It told what it has, and did not hear the answer. */
  #hasToldInVain = false;
  readonly #context = new AsyncResource('Lane');
  #isOver = false;
  readonly #certainty = new Certainty({
    tell: () => this.#tell(),
    onDoubt: () => {
      this.quiet = false;
    },
  });

  constructor(queue: RedisQueue, host: LaneHost) {
    this.queue = queue;
    this.lease = host.lease;
    this.#host = host;
    this.#membership = new Membership(queue, this);
  }

  /** The number this worker is known by. Empty while it is not known there. */
  get number(): string {
    return this.#membership.number;
  }

  /** On the monotonic clock, in ms: when the broker answered last. */
  get heardAt(): number {
    return this.#membership.heardAt;
  }

  async join(): Promise<void> {
    await this.#membership.join();
    if (!this.#isOver) this.queue.neighbours.add(this);
  }

  /** What it has may not be what it knows of, and what was told may not have been heard. */
  doubt(): void {
    this.#certainty.doubt();
  }

  /** The connection is there again. */
  returned(): void {
    this.doubt();
    this.#membership.beatNow();
  }

  /**
   * Fetches up to so many messages, after deliveries have ended. Nothing is received when this worker counts as dead: then
   * nothing was done.
   */
  fetch(
    { wanted, settlements = [], beat }: FetchOptions,
    receive: (handed: Handed[] | undefined) => void,
  ): Promise<void> {
    return this.#certainty.handOut(async () => {
      const { number } = this;
      const wakes = this.#wakes;
      const beating = beat ? [this.lease, beat.mayBury ? 1 : 0] : [0, 0];
      const args = [this.#turn(), wanted, this.#host.largest, ...beating, ...argumentsOf(settlements)];
      const reply = await this.#membership.step(delivering.fetch, args);
      if (!reply || number !== this.number) return receive(undefined);
      const [, isIdle, due, untended, others] = reply as FetchReply;
      const foundNothing = Number(isIdle) === 1;
      if (wanted > 0) this.quiet = foundNothing && wakes === this.#wakes;
      if (foundNothing) this.#untendedAt = momentIn(Number(untended));
      if (beat) this.#beatAnswer = beatAnswer(Number(others));
      this.#due.in(Number(due));
      receive(handedIn(reply as FetchReply));
    });
  }

  /** Ends deliveries. False when this worker counts as dead: then nothing was done. */
  async settle(settlements: readonly Settlement[]): Promise<boolean> {
    const reply = await this.#membership.step(delivering.settle, argumentsOf(settlements));
    if (reply) this.#due.in(Number(reply[1]));
    return reply !== undefined;
  }

  /** Takes from the room of a resource, and ends deliveries in the same step. */
  take<T>(
    { resource, weight }: RoomHead,
    settlements: readonly Settlement[],
    receive: Receive<T>,
  ): Promise<T> {
    return this.#certainty.handOut(async () => {
      const { number } = this;
      const args = [this.#turn(), resource, weight, ...argumentsOf(settlements)];
      const reply = await this.#membership.step(delivering.take, args);
      if (!reply || number !== this.number) return receive(this, { kind: 'void' });
      const [, due, handle, isRevoked, card] = reply as TakenReply;
      this.#due.in(Number(due));
      if (card !== undefined) {
        return receive(this, {
          kind: 'taken',
          handed: handedFrom(String(handle), card, Number(isRevoked) === 1),
        });
      }
      return receive(
        this,
        handle === undefined ? { kind: 'empty' } : { kind: 'other', weight: Number(handle) },
      );
    });
  }

  /** The message that comes first in the room of a resource. */
  async head(resource: string): Promise<{ rank: string; weight: number } | undefined> {
    const [, rank, weight] = (await this.#membership.step(delivering.head, [resource])) ?? [];
    return rank === undefined ? undefined : { rank: String(rank), weight: Number(weight) };
  }

  /** Rooms that nobody attended for their countdown. The queue is not asked before there can be one. */
  async orphans(): Promise<readonly Room[]> {
    if (performance.now() < this.#untendedAt) return [];
    const { rooms, next } = await this.queue.orphans();
    this.#untendedAt = Math.min(momentIn(next), momentIn(this.lease));
    return rooms;
  }

  /** A room of this queue may be untended in so many ms. */
  untendedIn(ms: number): void {
    this.#untendedAt = Math.min(this.#untendedAt, momentIn(ms));
  }

  /** Gives back what it does not know of. It is not woken any more, until it fetches again. */
  async audit(): Promise<void> {
    this.doubt();
    await this.#certainty.become();
  }

  /** This worker was woken and has no slot: somebody else may have one. */
  async passOn(): Promise<void> {
    if (this.#certainty.isInDoubt) await this.#certainty.become();
    await this.queue.step(living.passOn, []);
  }

  /** Leaves. What is in hand goes to others at once. */
  async leave(): Promise<void> {
    this.#end();
    await this.#membership.leave();
  }

  /** Does nothing any more, and says so to nobody. */
  vanish(): void {
    this.#end();
    this.#membership.vanish();
  }

  get isIdle(): boolean {
    return this.quiet && this.number !== '' && !this.#certainty.isInDoubt && this.#host.hasRoom;
  }

  onWoken(word: string): void {
    const handed = handedInWord(word);
    if (!handed && word !== '') this.doubt();
    this.got(handed);
  }

  onHearing(): void {
    this.doubt();
    this.got(undefined);
  }

  /** A run is no part of what a publisher does, or whoever had a connection opened: it is to see no context of theirs. */
  got(handed: Handed | undefined): void {
    this.#context.runInAsyncScope(this.#told, this, handed);
  }

  /** What comes too late has gone back already, or is about to. */
  #told(handed: Handed | undefined): void {
    this.#wakes++;
    this.quiet = false;
    if (handed && !this.#certainty.isInDoubt) {
      if (Number.parseInt(handed.handle, 10) > this.#gone) return void this.#host.told(this, handed);
      this.doubt();
    }
    this.#host.woken(this);
  }

  missed(): void {
    this.#context.runInAsyncScope(() => {
      this.doubt();
      void this.#look();
    });
  }

  onJoined(): void {
    this.quiet = false;
    this.#certainty.begin();
    this.#gone = 0;
    void this.#look();
  }

  async poll(mayBury: boolean): Promise<BeatAnswer | undefined> {
    this.#beatAnswer = undefined;
    // A cluster's client may repeat a step by itself, so that one answer of two is heard; and what lies between may bring a
    // step of a lost connection after all. Whoever lives keeps what it has, so nobody else would ever find out.
    this.doubt();
    await this.#host.look(this, { mayBury });
    return this.#beatAnswer;
  }

  onError(error: unknown): void {
    this.#host.onError(error);
  }

  async #tell(): Promise<void> {
    const again = this.#hasToldInVain;
    this.#hasToldInVain = true;
    const args = [again ? 1 : 0, ...this.#host.handles(this)];
    const [, gone] = (await this.#membership.step(living.audit, args)) ?? [];
    this.#hasToldInVain = false;
    if (gone !== undefined) this.#gone = Number(gone);
    // Whoever tells is not idle any more, whatever a fetch has found meanwhile.
    this.quiet = false;
  }

  async #look(): Promise<void> {
    // Whoever is asked to look tells of its errors.
    await this.#host.look(this).catch(() => {});
  }

  #end(): void {
    this.#isOver = true;
    this.queue.neighbours.delete(this);
    this.#due.stop();
  }

  /** Names a step that hands something out. */
  #turn(): string {
    return `${this.number}.${++this.#turns}`;
  }
}

function momentIn(ms: number): number {
  return ms < 0 ? Number.POSITIVE_INFINITY : performance.now() + ms;
}
