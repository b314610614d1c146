import { setTimeout as sleep } from 'node:timers/promises';
import { type AmqpMessage, replyCodeOf } from '../../rabbitmq/client.js';
import type { Outgoing, Publisher } from '../../rabbitmq/publisher.js';
import { wayDown } from './ladder.js';
import type { Names } from './names.js';
import type { Topology } from './topology.js';
import { delayedParcel, lossesOf, lostParcel, type Parcel } from './wire.js';

/** As often as something is declared again that was not there. */
const attempts = 3;

/**
 * Milliseconds between noticing that a queue was removed and declaring it again. RabbitMQ tells the consumers of a quorum
 * queue that it is gone; but if one of that name is there again before they have heard it, they are taken for consumers of
 * the new one, and what is sent to them never arrives.
 */
const restBeforeDeclaring = 500;

/** Puts messages into one queue. Resolves when the server has them where they belong. */
export class Writer {
  readonly #publisher: Publisher;
  readonly #topology: Topology;
  readonly #names: Names;

  constructor(publisher: Publisher, topology: Topology, names: Names) {
    this.#publisher = publisher;
    this.#topology = topology;
    this.#names = names;
  }

  /** Into the queue, or onto the ladder for so many milliseconds. Calls of one turn keep their order. */
  async put(whole: Parcel, delay = 0): Promise<void> {
    if (!(delay > 0)) return await this.#send({ key: this.#names.work, ...whole });
    const { key, left } = wayDown(delay);
    const exchange = this.#names.ladder.at(-1) as string;
    await this.#send({ exchange, key, ...delayedParcel(whole, left) }, 'ladder');
  }

  /** Into the queue again, as lost once more. */
  async putBackLost(message: AmqpMessage): Promise<void> {
    await this.put(lostParcel(message, lossesOf(message) + 1));
  }

  /** Into the queue again, as it was. */
  async putBack(message: AmqpMessage): Promise<void> {
    await this.put(lostParcel(message, lossesOf(message)));
  }

  async putAside(whole: Parcel): Promise<void> {
    await this.#send({ key: this.#names.aside, ...whole });
  }

  async putNote(body: Buffer): Promise<void> {
    const properties = { persistent: true, contentType: 'application/json' };
    await this.#send({ key: this.#names.notes, body, properties });
  }

  async #send(message: Outgoing, needs: 'queue' | 'ladder' = 'queue'): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      await (needs === 'ladder' ? this.#topology.ladder() : this.#topology.queue());
      if ((await this.#publish(message)) === 'kept') return;
      if (attempt === attempts) throw new Error(`no queue takes "${message.key}", though it was declared`);
      await sleep(restBeforeDeclaring);
      this.#topology.forget();
    }
  }

  /** That there is no such exchange is as if no queue had taken it. */
  async #publish(message: Outgoing) {
    try {
      return await this.#publisher.publish(message);
    } catch (error) {
      if (replyCodeOf(error) !== 404) throw error;
      return 'returned';
    }
  }
}
