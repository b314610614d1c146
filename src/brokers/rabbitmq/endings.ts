import { BrokerUnavailableError } from '../../errors.js';
import type { Outcome } from '../broker.js';
import type { RabbitDelivery } from './delivery.js';
import type { Fetching } from './fetching.js';

/**
 * Ends deliveries. An acknowledgement is the last step, and RabbitMQ does not answer it: when the connection is lost before
 * it has arrived, the message is delivered once more, though its end was reported.
 */
export class Endings {
  readonly #fetching: Fetching;
  readonly #isDead: () => boolean;
  readonly #underWay = new Set<Promise<unknown>>();

  constructor(fetching: Fetching, isDead: () => boolean) {
    this.#fetching = fetching;
    this.#isDead = isDead;
  }

  /** Whether it may be settled: it is in hand, and nobody else settles it. Its slot is free from now on. */
  begin(delivery: RabbitDelivery): boolean {
    if (delivery.isSettled || !this.#fetching.has(delivery)) return false;
    if (this.#isDead()) throw new BrokerUnavailableError('rabbitmq');
    delivery.isSettled = true;
    this.#fetching.delete(delivery);
    return !delivery.isVoid;
  }

  /** False when it is not ours any more. Where it rejects the delivery may be settled again. */
  async end(delivery: RabbitDelivery, outcome: Outcome, { shut }: { shut: boolean }): Promise<boolean> {
    const { lane, tap, raw } = delivery;
    const concluding = lane.conclude(delivery, outcome);
    this.#underWay.add(concluding);
    try {
      if (!(await concluding)) return true;
    } catch (error) {
      delivery.isSettled = false;
      if (!delivery.isVoid) this.#fetching.add(delivery);
      throw error;
    } finally {
      this.#underWay.delete(concluding);
    }
    if (tap) return await tap.ack(raw, { shut });
    const isOurs = lane.ackFetched(raw);
    this.#fetching.acknowledged();
    return isOurs;
  }

  /**
   * Gives back what was taken from rooms and is in hand still, as lost. It would go back to its room otherwise; what was
   * fetched goes back to the queue by itself, with the connection.
   */
  async giveBack(): Promise<void> {
    await Promise.allSettled(this.#underWay);
    const left = this.#fetching.deliveries.filter(({ tap, isVoid }) => tap && !isVoid);
    await Promise.allSettled(
      left.map(async (delivery) => {
        delivery.isSettled = true;
        await delivery.lane.putBackLost(delivery.raw);
        await delivery.tap?.ack(delivery.raw, { shut: true });
      }),
    );
  }
}
