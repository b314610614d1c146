import type { Message } from '../../message.js';
import type { Delivery, Outcome } from '../broker.js';
import type { Handed } from './handed.js';
import type { Lane } from './lane.js';
import type { Held } from './settlement.js';

export interface Origin {
  readonly handed: Handed;
  readonly message: Message;
  readonly lane: Lane;
  readonly room: string | undefined;
  readonly settle: (delivery: RedisDelivery, outcome: Outcome) => Promise<boolean>;
}

export class RedisDelivery implements Delivery, Held {
  readonly message: Message;
  readonly queue: string;
  readonly room: string | undefined;
  readonly losses: number;
  readonly revoked: boolean;
  readonly handle: string;
  readonly rank: string | undefined;
  readonly lane: Lane;
  /** Among those that its consumer has in hand. */
  place = -1;
  /** Nobody may settle it: it is being settled, or has been. */
  isSettled = false;
  /** The number its worker had when it got it. */
  readonly #number: string;
  readonly #settle: Origin['settle'];

  constructor({ handed, message, lane, room, settle }: Origin) {
    this.message = message;
    this.queue = lane.queue.name;
    this.room = room;
    this.losses = handed.losses;
    this.revoked = handed.revoked;
    this.handle = handed.handle;
    this.rank = handed.rank;
    this.lane = lane;
    this.#number = lane.number;
    this.#settle = settle;
  }

  /** Its worker was declared dead since: it is somebody else's. */
  get isVoid(): boolean {
    return this.#number !== this.lane.number;
  }

  settle(outcome: Outcome): Promise<boolean> {
    return this.#settle(this, outcome);
  }
}
