import { setTimeout as sleep } from 'node:timers/promises';
import { asNew } from '../../message.js';
import { openChannel } from '../../rabbitmq/channel.js';
import { type AmqpMessage, replyCodeOf } from '../../rabbitmq/client.js';
import type { RabbitConnection } from '../../rabbitmq/connection.js';
import type { Aside } from '../broker.js';
import type { Names } from './names.js';
import { againParcel, asideOf, messageIn, parcel } from './wire.js';
import type { Writer } from './writer.js';

/** Milliseconds: how long somebody else may be looking, and how long messages take to come. */
const patience = 5_000;
const pause = 20;

/** A message that was set apart, in hand. */
interface Held {
  readonly raw: AmqpMessage;
  readonly aside: Aside;
}

/**
 * What was set apart, as operators see it.
 *
 * A queue can be looked at only by taking what is in it. So whoever looks is its only consumer meanwhile, takes all, and
 * leaves: what was not acknowledged is where it was. If the process dies while it replays, the message is in both places.
 */
export class Shelf {
  readonly #connection: RabbitConnection;
  readonly #names: Names;
  readonly #writer: Writer;

  constructor(connection: RabbitConnection, names: Names, writer: Writer) {
    this.#connection = connection;
    this.#names = names;
    this.#writer = writer;
  }

  async list(): Promise<Aside[]> {
    return await this.#look(async (held) => held.map(({ aside }) => aside));
  }

  async replay(id: string): Promise<boolean> {
    return await this.#remove(id, async ({ aside, raw }) => {
      const { message } = aside;
      await this.#writer.put(message ? parcel(this.#names, asNew(message)) : againParcel(raw));
    });
  }

  async discard(id: string): Promise<boolean> {
    return await this.#remove(id, async () => {});
  }

  async #remove(id: string, before: (held: Held) => Promise<void>): Promise<boolean> {
    return await this.#look(async (held, ack) => {
      const found = held.find(({ aside }) => aside.id === id);
      if (!found) return false;
      await before(found);
      await ack(found.raw);
      return true;
    });
  }

  async #look<T>(see: (held: Held[], ack: (raw: AmqpMessage) => Promise<void>) => Promise<T>): Promise<T> {
    const { opened, messages } = await this.#holdAll();
    try {
      const held = messages.map((raw, position) => ({ raw, aside: this.#describe(raw, position) }));
      return await see(held, async (raw) => {
        opened.send((channel) => channel.ack(raw));
        // By the next answer it is done.
        await opened.call((channel) => channel.checkQueue(this.#names.aside));
      });
    } finally {
      await opened.close();
    }
  }

  async #holdAll() {
    for (const start = performance.now(); ; ) {
      const opened = await openChannel(this.#connection);
      const messages: AmqpMessage[] = [];
      try {
        await opened.call((channel) =>
          channel.consume(this.#names.aside, (message) => void (message && messages.push(message)), {
            exclusive: true,
          }),
        );
        await this.#all(async () => {
          const state = await opened.call((channel) => channel.checkQueue(this.#names.aside));
          return state.messageCount;
        });
        return { opened, messages };
      } catch (error) {
        await opened.close();
        if (replyCodeOf(error) !== 403 || performance.now() - start > patience) throw error;
        await sleep(pause * (0.5 + Math.random()));
      }
    }
  }

  /** Until nothing waits any more, twice in a row: what was on its way has come then. */
  async #all(waiting: () => Promise<number>): Promise<void> {
    for (let found = 0; found < 2; ) {
      if ((await waiting()) === 0) found++;
      else await sleep(pause);
    }
  }

  #describe(raw: AmqpMessage, position: number): Aside {
    const aside = { ...asideOf(raw, position), text: raw.content.toString() };
    try {
      return { ...aside, message: messageIn(this.#names, raw) };
    } catch {
      return aside;
    }
  }
}
