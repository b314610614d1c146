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
  readonly #hand: Hand;
  readonly #resolves: ((settled: boolean) => void)[] = [];
  readonly #rejects: ((error: unknown) => void)[] = [];

  constructor(lane: Lane, hand: Hand) {
    this.lane = lane;
    this.#hand = hand;
  }

  get isFull(): boolean {
    return this.deliveries.length >= largest;
  }

  /** Resolves with whether it was still this consumer's; rejects when that is not known. */
  add(delivery: RedisDelivery, settlement: Settlement): Promise<boolean> {
    this.deliveries.push(delivery);
    this.settlements.push(settlement);
    return new Promise((resolve, reject) => {
      this.#resolves.push(resolve);
      this.#rejects.push(reject);
    });
  }

  settled(settled: boolean): void {
    this.#hand.ended(this);
    for (const resolve of this.#resolves) resolve(settled);
  }

  failed(error: unknown): void {
    this.#hand.back(this);
    for (const reject of this.#rejects) reject(error);
  }
}

/** Deliveries that end in the same turn of the event loop end together, in one step for each queue. */
export class Settling {
  readonly #hand: Hand;
  #batches: Batch[] = [];

  constructor(hand: Hand) {
    this.#hand = hand;
  }

  add(delivery: RedisDelivery, settlement: Settlement): Promise<boolean> {
    const { lane } = delivery;
    let batch = this.#batches.find((other) => other.lane === lane && !other.isFull);
    if (!batch) {
      batch = new Batch(lane, this.#hand);
      this.#batches.push(batch);
    }
    return batch.add(delivery, settlement);
  }

  /** What has come together since. Whoever takes it sends it now: the slots are free from here on. */
  take(): Batch[] {
    const batches = this.#batches;
    this.#batches = [];
    for (const batch of batches) this.#hand.ending(batch);
    return batches;
  }
}
