import type { Broker } from '../brokers/broker.js';
import { ClosedError } from '../errors.js';
import { scope } from '../locks/scope.js';
import type { Message } from '../message.js';
import type { ResultStore } from '../results/result-store.js';
import { type Soon, whenThere } from '../soon.js';
import type { Outgoing } from './call.js';

/**
 * What is on its way to the broker.
 *
 * An app that closes still has bodies running, and one that calls another task must not fail for it: so the outbox is
 * closed to callers first, and to runs when there are no more of them.
 */
export class Outbox {
  readonly #broker: Broker;
  readonly #results: Pick<ResultStore, 'address'>;
  readonly #underWay = new Set<Promise<void>>();
  #openTo: 'all' | 'runs' | 'none' = 'all';

  constructor(broker: Broker, results: Pick<ResultStore, 'address'>) {
    this.#broker = broker;
    this.#results = results;
  }

  async send(queue: string, outgoing: readonly Outgoing[]): Promise<void> {
    if (!this.#isOpen) throw new ClosedError('The app');
    if (outgoing.length === 0) return;
    const messages = outgoing.map(({ message }) => message);
    const options = { queue, delay: outgoing[0]?.delay };
    // The broker has it when this waits, where nothing must be waited for: a call may be all that its turn does.
    const answerable = this.#answerable(messages);
    const sending = Promise.resolve(whenThere(answerable, (sent) => this.#broker.publish(sent, options)));
    this.#underWay.add(sending);
    try {
      await sending;
    } finally {
      this.#underWay.delete(sending);
    }
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

  /** The same, with where to send what becomes of them, if that is not kept. */
  #answerable(messages: readonly Message[]): Soon<readonly Message[]> {
    if (!this.#results.address || messages.every(({ ignoreResult }) => ignoreResult)) return messages;
    return this.#results.address().then((to) => messages.map((message) => ({ ...message, reply: { to } })));
  }

  get #isOpen(): boolean {
    return this.#openTo === 'all' || (this.#openTo === 'runs' && scope.getStore()?.inRun === true);
  }
}
