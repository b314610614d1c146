import type { RedisDelivery } from './delivery.js';
import type { Hand } from './hand.js';
import type { Lane } from './lane.js';
import type { Settlement } from './settlement.js';

/** Deliveries that end in one step, at most. */
const largest = 500;

/** Deliveries of one queue that end in the same step. */
export class Batch {
  readonly lane: Lane;
  readonly deliveries: RedisDelivery[] = [];
  readonly settlements: Settlement[] = [];
  /** Whether they were still this consumer's; rejects when that is not known. */
  readonly answer: Promise<boolean>;
  readonly #hand: Hand;
  #resolve!: (settled: boolean) => void;
  #reject!: (error: unknown) => void;

  constructor(lane: Lane, hand: Hand) {
    this.lane = lane;
    this.#hand = hand;
    this.answer = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  get isFull(): boolean {
    return this.deliveries.length >= largest;
  }

  add(delivery: RedisDelivery, settlement: Settlement): void {
    this.deliveries.push(delivery);
    this.settlements.push(settlement);
  }

  settled(settled: boolean): void {
    this.#hand.ended(this);
    this.#resolve(settled);
  }

  failed(error: unknown): void {
    this.#hand.back(this);
    this.#reject(error);
  }
}

/** Deliveries that end in the same turn of the event loop end together, in one step for each queue. */
export class Settling {
  readonly #hand: Hand;
  #batches: Batch[] = [];

  constructor(hand: Hand) {
    this.#hand = hand;
  }

  /** All of a batch have one answer. */
  add(delivery: RedisDelivery, settlement: Settlement): Promise<boolean> {
    const { lane } = delivery;
    let batch = this.#batches.find((other) => other.lane === lane && !other.isFull);
    if (!batch) {
      batch = new Batch(lane, this.#hand);
      this.#batches.push(batch);
    }
    batch.add(delivery, settlement);
    return batch.answer;
  }

  /** What has come together since. Whoever takes it sends it now: the slots are free from here on. */
  take(): Batch[] {
    const batches = this.#batches;
    this.#batches = [];
    for (const batch of batches) this.#hand.ending(batch);
    return batches;
  }
}
