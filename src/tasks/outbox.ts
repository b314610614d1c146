import type { Broker } from '../brokers/broker.js';
import { ClosedError } from '../errors.js';
import { scope } from '../locks/scope.js';
import type { Outgoing } from './call.js';

/**
 * What is on its way to the broker.
 *
 * An app that closes still has bodies running, and one that calls another task must not fail for it: so the outbox is
 * closed to callers first, and to runs when there are no more of them.
 */
export class Outbox {
  readonly #broker: Broker;
  readonly #underWay = new Set<Promise<void>>();
  #openTo: 'all' | 'runs' | 'none' = 'all';

  constructor(broker: Broker) {
    this.#broker = broker;
  }

  send(queue: string, outgoing: readonly Outgoing[]): Promise<void> {
    const sending = this.#send(queue, outgoing);
    const done = () => this.#underWay.delete(sending);
    this.#underWay.add(sending);
    sending.then(done, done);
    return sending;
  }

  /** From now on only runs may send. Resolves when what was on its way has arrived or failed. */
  async closeToCallers(): Promise<void> {
    this.#openTo = 'runs';
    await Promise.allSettled(this.#underWay);
  }

  async close(): Promise<void> {
    this.#openTo = 'none';
    await Promise.allSettled(this.#underWay);
  }

  async #send(queue: string, outgoing: readonly Outgoing[]): Promise<void> {
    if (!this.#isOpen) throw new ClosedError('The app');
    if (outgoing.length === 0) return;
    const messages = outgoing.map(({ message }) => message);
    await this.#broker.publish(messages, { queue, delay: outgoing[0]?.delay });
  }

  get #isOpen(): boolean {
    return this.#openTo === 'all' || (this.#openTo === 'runs' && scope.getStore()?.inRun === true);
  }
}
