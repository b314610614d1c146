import type { Delivery, Room } from '../broker.js';
import type { MemoryQueue } from './queue.js';

/** A consumer, as it is served. */
export interface Served {
  /** Receives one message, if it has a slot and there is one for it. */
  fetch(): boolean;
  /** The queues have nothing more for it. */
  onEmpty(): void;
  onRoom(queue: MemoryQueue, room: Room): void;
  onRevoked(id: string): void;
  /** What it has in hand of these queues under this id. */
  inHand(id: string, queues: readonly MemoryQueue[]): Delivery | undefined;
  close(): Promise<void>;
}

/** Handed over before the event loop gets a turn, so that timers are on time while a backlog of short tasks is worked off. */
const burst = 250;

/**
 * Carries messages to the consumers, one to each in turn, and news to them all: always later than whatever caused it,
 * so that nobody is called from within a call of their own.
 */
export class Pump {
  readonly #consumers: Served[] = [];
  #turn = 0;
  #handedOver = 0;
  #awake = false;

  add(consumer: Served): void {
    this.#consumers.push(consumer);
    this.wake();
  }

  remove(consumer: Served): void {
    const at = this.#consumers.indexOf(consumer);
    if (at >= 0) this.#consumers.splice(at, 1);
  }

  /** Tells every consumer there is by then. */
  tell(what: (consumer: Served) => void): void {
    queueMicrotask(() => [...this.#consumers].forEach(what));
  }

  inHand(id: string, queues: readonly MemoryQueue[]): Delivery | undefined {
    for (const consumer of this.#consumers) {
      const found = consumer.inHand(id, queues);
      if (found) return found;
    }
    return undefined;
  }

  async close(): Promise<void> {
    for (const consumer of [...this.#consumers]) await consumer.close();
  }

  /** There may be something to do. */
  wake(): void {
    if (this.#awake || this.#consumers.length === 0) return;
    this.#awake = true;
    if (this.#handedOver < burst) {
      queueMicrotask(() => this.#run());
    } else {
      this.#handedOver = 0;
      setImmediate(() => this.#run());
    }
  }

  #run(): void {
    this.#awake = false;
    if (this.#handOver()) this.wake();
    else for (const consumer of [...this.#consumers]) consumer.onEmpty();
  }

  /** False when no consumer has both a slot and a message for it; true when it is time for a pause. */
  #handOver(): boolean {
    for (let misses = 0; misses < this.#consumers.length; ) {
      if (this.#handedOver >= burst) return true;
      this.#turn = (this.#turn + 1) % this.#consumers.length;
      if (this.#consumers[this.#turn]?.fetch()) {
        this.#handedOver++;
        misses = 0;
      } else {
        misses++;
      }
    }
    return false;
  }
}
