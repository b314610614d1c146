import type { Message } from '../../message.js';
import type { CallChannel } from '../../rabbitmq/channel.js';
import type { RabbitConnection } from '../../rabbitmq/connection.js';
import type { Publisher } from '../../rabbitmq/publisher.js';
import { Book } from './book.js';
import { Census } from './census.js';
import type { Names } from './names.js';
import type { NewsDesk } from './news.js';
import { Rooms } from './rooms.js';
import { Shelf } from './shelf.js';
import { Topology } from './topology.js';
import { parcel, textParcel } from './wire.js';
import { Writer } from './writer.js';

/** Messages whose confirms are waited for together. */
const window = 1_000;

/** One queue, as publishers and operators see it. */
export class RabbitQueue {
  readonly census: Census;
  readonly #names: Names;
  readonly #topology: Topology;
  readonly #writer: Writer;
  readonly #rooms: Rooms;
  readonly #shelf: Shelf;
  readonly #calls: CallChannel;

  constructor(
    names: Names,
    news: string,
    parts: { connection: RabbitConnection; publisher: Publisher; calls: CallChannel; desk: NewsDesk },
  ) {
    this.#names = names;
    this.#calls = parts.calls;
    this.#topology = new Topology(parts.calls, names, news);
    this.#writer = new Writer(parts.publisher, this.#topology, names);
    this.#rooms = new Rooms({ ...parts, names, book: new Book(), writer: this.#writer });
    this.#shelf = new Shelf(parts.connection, names, this.#writer);
    this.census = new Census({ ...parts, names, rooms: this.#rooms });
  }

  async publish(messages: readonly Message[], delay = 0): Promise<void> {
    // All are encoded before the first is sent: a message that cannot be must not leave half of the call behind.
    const parcels = messages.map((message) => parcel(this.#names, message));
    for (let from = 0; from < parcels.length; from += window) {
      await Promise.all(parcels.slice(from, from + window).map((whole) => this.#writer.put(whole, delay)));
    }
  }

  async inject(text: string): Promise<void> {
    await this.#writer.put(textParcel(text));
  }

  async shelf(): Promise<Shelf> {
    await this.#topology.queue();
    return this.#shelf;
  }

  async drop(): Promise<void> {
    const { work, celery, aside, notes, ladder } = this.#names;
    const rooms = await this.census.rooms();
    for (const name of [work, aside, notes, ...rooms, ...ladder]) {
      await this.#calls.call((channel) => channel.deleteQueue(name));
    }
    for (const name of celery ? [work, ...ladder] : ladder) {
      await this.#calls.call((channel) => channel.deleteExchange(name));
    }
    this.#topology.forget();
  }
}
