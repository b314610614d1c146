import type { Message } from '../../message.js';
import type { Delivery, Outcome } from '../broker.js';
import type { Entry, Held } from './entry.js';

export interface Origin {
  readonly room?: string;
  readonly revoked: boolean;
  readonly settle: (delivery: MemoryDelivery, outcome: Outcome) => boolean;
}

export class MemoryDelivery implements Delivery {
  readonly message: Message;
  readonly queue: string;
  readonly room?: string;
  readonly losses: number;
  readonly revoked: boolean;
  readonly entry: Entry;
  /** Among those that its consumer has in hand. */
  place = -1;
  readonly #settle: Origin['settle'];

  constructor({ entry, message }: Held, { room, revoked, settle }: Origin) {
    this.message = message;
    this.queue = entry.queue.name;
    this.room = room;
    this.losses = entry.losses;
    this.revoked = revoked;
    this.entry = entry;
    this.#settle = settle;
  }

  async settle(outcome: Outcome): Promise<boolean> {
    return this.#settle(this, outcome);
  }
}
