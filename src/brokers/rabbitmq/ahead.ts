import type { AmqpMessage } from '../../rabbitmq/client.js';
import type { Tap } from './tap.js';

interface Busy {
  readonly resource: string;
  readonly isOurs: () => boolean;
}

interface Waiting {
  readonly resource: string;
  readonly timer: NodeJS.Timeout;
}

/** How long a message waits here for a hand-off, in milliseconds, before it goes back to its room. */
const patience = 100;

/** A run that took no longer, in milliseconds, is likely to be followed by one that ends before that. */
const short = 75;

/**
 * Taps that hold the next message of a room while the runs before it go on, so that a hand-off need not wait for the server:
 * at most one for each message of the room that is in hand.
 *
 * There are some only where runs are short, and only after a hand-off. A message that waits here too long, because a run
 * takes longer than those before or its permit is given back, is given back too. If the process dies, it goes back to its
 * room and counts as lost, as one does that was fetched and not started.
 */
export class Ahead {
  readonly #onLate: (tap: Tap, resource: string) => void;
  readonly #waiting = new Map<Tap, Waiting>();
  /** Messages that were taken and are in hand. */
  readonly #busy = new Map<AmqpMessage, Busy>();
  /** How many are to wait, by resource: more only after another hand-off. */
  readonly #most = new Map<string, number>();
  #closed = false;

  /** `onLate`: it is let go of here, with the message that it may have. */
  constructor(onLate: (tap: Tap, resource: string) => void) {
    this.#onLate = onLate;
  }

  /** Messages that wait. */
  get count(): number {
    return [...this.#waiting.keys()].filter(({ hasMessage }) => hasMessage).length;
  }

  /** Whether a message of the resource waits. */
  has(resource: string): boolean {
    return this.#first(resource) !== undefined;
  }

  /** The tap with the message of the resource that came first. It waits no longer. */
  take(resource: string): Tap | undefined {
    const first = this.#first(resource);
    if (first) this.#forget(first);
    return first;
  }

  /** A tap of the resource that waits for its message. It waits no longer. */
  takeEmpty(resource: string): Tap | undefined {
    for (const [tap, waiting] of this.#waiting) {
      if (waiting.resource !== resource) continue;
      this.#forget(tap);
      return tap;
    }
    return undefined;
  }

  /** It is in hand from now on, for as long as `isOurs`. */
  began(message: AmqpMessage, resource: string, isOurs: () => boolean): void {
    this.#busy.set(message, { resource, isOurs });
  }

  ended(message: AmqpMessage): void {
    const busy = this.#busy.get(message);
    this.#busy.delete(message);
    if (!busy || this.#waitingFor(busy.resource) > 0) return;
    this.#settleFor(busy.resource, this.#busyWith(busy.resource));
  }

  /** A run that took so many milliseconds is followed by another: whether one more is to wait behind that. */
  grows(resource: string, ran: number): boolean {
    const most = this.#most.get(resource) ?? 0;
    if (this.#closed || ran > short || most >= this.#busyWith(resource)) return false;
    this.#most.set(resource, most + 1);
    return true;
  }

  /** Keeps a tap without a message for the next one. False when there are enough. */
  keep(tap: Tap, resource: string): boolean {
    const most = Math.min(this.#most.get(resource) ?? 0, this.#busyWith(resource));
    if (this.#closed || !tap.isOpen || this.#waitingFor(resource) >= most) return false;
    const timer = setTimeout(() => this.#late(tap, resource), patience);
    this.#waiting.set(tap, { resource, timer });
    return true;
  }

  /** Keeps nothing from now on. Those that were kept, and the resources they were for. */
  close(): [tap: Tap, resource: string][] {
    this.#closed = true;
    const all = [...this.#waiting].map(([tap, { resource }]): [Tap, string] => [tap, resource]);
    for (const [tap] of all) this.#forget(tap);
    return all;
  }

  #late(tap: Tap, resource: string): void {
    this.#forget(tap);
    this.#settleFor(resource, this.#waitingFor(resource));
    this.#onLate(tap, resource);
  }

  #settleFor(resource: string, most: number): void {
    if (most === 0) this.#most.delete(resource);
    else if ((this.#most.get(resource) ?? 0) > most) this.#most.set(resource, most);
  }

  #forget(tap: Tap): void {
    clearTimeout(this.#waiting.get(tap)?.timer);
    this.#waiting.delete(tap);
  }

  #first(wanted: string): Tap | undefined {
    let first: Tap | undefined;
    for (const [tap, { resource }] of this.#waiting) {
      if (resource !== wanted || !tap.hasMessage || !tap.isOpen) continue;
      if (!first || comesBefore(tap, first)) first = tap;
    }
    return first;
  }

  #waitingFor(wanted: string): number {
    let count = 0;
    for (const { resource } of this.#waiting.values()) if (resource === wanted) count++;
    return count;
  }

  #busyWith(wanted: string): number {
    let count = 0;
    for (const [message, { resource, isOurs }] of this.#busy) {
      if (!isOurs()) this.#busy.delete(message);
      else if (resource === wanted) count++;
    }
    return count;
  }
}

/** Of several rooms the last by name comes first: see `book.ts`. */
function comesBefore(a: Tap, b: Tap): boolean {
  return a.name === b.name ? a.arrivedAt < b.arrivedAt : a.name > b.name;
}
