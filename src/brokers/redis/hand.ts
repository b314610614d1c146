import { Crowd } from '../../crowd.js';
import type { RedisDelivery } from './delivery.js';
import type { Lane } from './lane.js';

/** Deliveries whose end is on its way. */
interface Ending {
  readonly deliveries: readonly RedisDelivery[];
}

/** The slots of a consumer. One is used by a delivery in hand, or kept for one that was asked for. */
export class Hand {
  readonly #slots: number;
  readonly #deliveries = new Crowd<RedisDelivery>();
  /** They use no slot, but they may come back. */
  readonly #ending = new Set<Ending>();
  #kept = 0;

  constructor(slots: number) {
    this.#slots = slots;
  }

  get free(): number {
    return this.#slots - this.#deliveries.size - this.#kept;
  }

  get deliveries(): Iterable<RedisDelivery> {
    return this.#deliveries;
  }

  has(delivery: RedisDelivery): boolean {
    return this.#deliveries.has(delivery);
  }

  add(delivery: RedisDelivery): void {
    this.#deliveries.add(delivery);
  }

  /** It is not this consumer's any more. */
  delete(delivery: RedisDelivery): void {
    this.#deliveries.delete(delivery);
  }

  /** Keeps slots for what is asked for. */
  keep(slots: number): void {
    this.#kept += slots;
  }

  /** What was asked for has come, or will not. */
  unkeep(slots: number): void {
    this.#kept -= slots;
  }

  ending(ending: Ending): void {
    for (const delivery of ending.deliveries) this.#deliveries.delete(delivery);
    this.#ending.add(ending);
  }

  ended(ending: Ending): void {
    this.#ending.delete(ending);
  }

  /** Whether they have ended is not known: they may be settled again. */
  back(ending: Ending): void {
    this.#ending.delete(ending);
    for (const delivery of ending.deliveries) {
      this.#deliveries.add(delivery);
      delivery.isSettled = false;
    }
  }

  handlesOf(lane: Lane): string[] {
    const all = [...this.#deliveries, ...[...this.#ending].flatMap(({ deliveries }) => deliveries)];
    return all.filter((delivery) => delivery.lane === lane).map(({ handle }) => handle);
  }

  clear(): void {
    for (const delivery of this.#deliveries) delivery.isSettled = true;
    this.#deliveries.clear();
  }
}
