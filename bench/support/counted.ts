import { type App, createApp } from 'lockkeeper';
import type { Broker, Consumer } from '../../src/brokers/broker.js';
import type { Coordinator } from '../../src/locks/coordinator.js';
import { withMembers } from './members.js';

/** What an app stands on, and how often it was used. */
export class CountedParts {
  readonly broker: Broker;
  readonly coordinator: Coordinator;
  /** Fetched ones, and those taken from rooms. */
  deliveries = 0;
  coordinatorCalls = 0;
  /** Milliseconds of each take that found a message. */
  readonly takes: number[] = [];
  readonly consumers: Consumer[] = [];
  readonly #app: App;
  readonly #broker: Broker;

  constructor({ broker, coordinator }: { broker: string; coordinator: string }) {
    this.#app = createApp({ broker, coordinator });
    this.#broker = this.#app.broker;
    this.broker = withMembers(this.#broker, { consume: this.#consume });
    this.coordinator = this.#counted(this.#app.locks.settings.resources.resolve('').coordinator);
  }

  async close(): Promise<void> {
    await this.#app.close();
  }

  readonly #consume: Broker['consume'] = async (queues, options) => {
    const onDelivery: typeof options.onDelivery = (delivery) => {
      this.deliveries++;
      options.onDelivery(delivery);
    };
    const consumer = await this.#broker.consume(queues, { ...options, onDelivery });
    const take: Consumer['take'] = async (...args) => {
      const start = performance.now();
      const taken = await consumer.take(...args);
      if (taken.kind !== 'taken') return taken;
      this.takes.push(performance.now() - start);
      this.deliveries++;
      return taken;
    };
    this.consumers.push(consumer);
    return withMembers(consumer, { take });
  };

  #counted(coordinator: Coordinator): Coordinator {
    const counting = <A extends unknown[], R>(call: (...args: A) => R) => {
      return (...args: A): R => {
        this.coordinatorCalls++;
        return call(...args);
      };
    };
    return withMembers(coordinator, {
      enter: counting((request) => coordinator.enter(request)),
      renew: counting((permits, options) => coordinator.renew(permits, options)),
      exit: counting((claims, options) => coordinator.exit(claims, options)),
      book: counting((request) => coordinator.book(request)),
    });
  }
}
