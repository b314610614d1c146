import type { Message } from '../../message.js';
import type { AmqpMessage } from '../../rabbitmq/client.js';
import type { Delivery, Outcome } from '../broker.js';
import type { Lane } from './lane.js';
import type { Tap } from './tap.js';
import { lossesOf } from './wire.js';

export interface Origin {
  readonly raw: AmqpMessage;
  readonly message: Message;
  readonly lane: Lane;
  /** The room it was taken from, and what it was taken by: nothing when that was before it was in the room. */
  readonly taken?: { readonly room: string; readonly tap?: Tap | undefined } | undefined;
  readonly settle: (delivery: RabbitDelivery, outcome: Outcome) => Promise<boolean>;
}

export class RabbitDelivery implements Delivery {
  readonly message: Message;
  readonly queue: string;
  readonly room: string | undefined;
  readonly losses: number;
  readonly revoked = false;
  readonly raw: AmqpMessage;
  readonly lane: Lane;
  readonly tap: Tap | undefined;
  /** Nobody may settle it: it is being settled, or has been. */
  isSettled = false;
  readonly #settle: Origin['settle'];

  constructor({ raw, message, lane, taken, settle }: Origin) {
    this.raw = raw;
    this.message = message;
    this.lane = lane;
    this.queue = lane.names.queue;
    this.room = taken?.room;
    this.tap = taken?.tap;
    this.losses = lossesOf(raw);
    this.#settle = settle;
  }

  /** Its channel is closed: the server has given the message to somebody else. */
  get isVoid(): boolean {
    return this.tap ? !this.tap.isOpen : !this.lane.holds(this.raw);
  }

  settle(outcome: Outcome): Promise<boolean> {
    return this.#settle(this, outcome);
  }
}
