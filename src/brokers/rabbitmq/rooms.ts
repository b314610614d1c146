import { CallChannel } from '../../rabbitmq/channel.js';
import { type AmqpChannel, type AmqpMessage, type QueueState, replyCodeOf } from '../../rabbitmq/client.js';
import type { RabbitConnection } from '../../rabbitmq/connection.js';
import { stepTimeout } from '../../rabbitmq/link.js';
import type { Publisher } from '../../rabbitmq/publisher.js';
import type { Parking } from '../broker.js';
import type { Book, KnownRoom, RoomFacts } from './book.js';
import { type AtDoor, Doorstep } from './doorstep.js';
import { type Names, newRoomName } from './names.js';
import { frontParcel, type Parcel, parkedParcel } from './wire.js';
import type { Writer } from './writer.js';

/** So many rooms of a queue at a time, by default. Each is a queue of the server. */
export const mostRooms = 1_000;

/**
 * Whoever parks after this many milliseconds sees to a new note, for the old one may be gone. Keepers wait for twice as long
 * before they give up a note whose room they do not find.
 */
export const noteLife = 30_000;

/** Of a room whose server is down: it counts as used, so that nobody forgets it, and what is in it comes back. */
const unreachable: QueueState = { queue: '', messageCount: 0, consumerCount: 1 };

/**
 * The queues of the rooms of one queue: made when a resource is found busy, removed when they have stood empty for a while.
 *
 * No message may go with one that is removed, and RabbitMQ confirms messages that reach a queue while it is being removed.
 * Hence no name is used twice, and whoever has parked a message looks whether the room is still there, before the delivery
 * that it came from is acknowledged: if it is, the message is in it. If not, the message is parked again, elsewhere.
 *
 * A note of the room is published first, then its queue is made, then messages go into it. If the process dies in between,
 * there is a note of a room that there is not: its keeper drops it after a minute. A room without a note cannot be.
 */
export class Rooms {
  readonly #names: Names;
  readonly #book: Book;
  readonly #writer: Writer;
  readonly #publisher: Publisher;
  readonly #calls: CallChannel;
  /** For questions that the server answers by closing the channel. */
  readonly #probe: CallChannel;
  #asked: Promise<unknown> = Promise.resolve();
  readonly #opening = new Map<string, Promise<KnownRoom>>();
  readonly doorstep = new Doorstep();
  /** Messages on their way into the first room of their resource, the first first. */
  readonly #beginnings = new Map<string, Set<Promise<KnownRoom | undefined>>>();
  readonly #notedAt = new Map<string, number>();
  readonly #checking = new Map<string, { now: Promise<boolean>; next?: Promise<boolean> }>();

  constructor(parts: {
    names: Names;
    book: Book;
    writer: Writer;
    publisher: Publisher;
    connection: RabbitConnection;
  }) {
    this.#names = parts.names;
    this.#book = parts.book;
    this.#writer = parts.writer;
    this.#publisher = parts.publisher;
    this.#calls = new CallChannel(parts.connection);
    this.#probe = new CallChannel(parts.connection);
  }

  /** Opens its channels: the first message to be parked keeps a permit waiting. */
  async open(): Promise<void> {
    await Promise.all([this.#publisher.open(), this.#calls.open(), this.#probe.open()]);
  }

  /**
   * Resolves, with the room it is in, when the message is safe there; or with nothing when it was taken before it was
   * published, which can be where it is said what is `atDoor`.
   */
  async park(whole: Parcel, parking: Parking, atDoor?: AtDoor): Promise<KnownRoom | undefined> {
    const { resource } = parking;
    const parked = this.#park(whole, parking, atDoor);
    if (this.#book.of(resource).length > 0) return await parked;
    const all = this.#beginnings.get(resource) ?? new Set();
    this.#beginnings.set(resource, all.add(parked));
    try {
      return await parked;
    } finally {
      all.delete(parked);
      if (all.size === 0) this.#beginnings.delete(resource);
    }
  }

  /** Resolves when a message is in the first room of the resource, if one is on its way there. Never rejects. */
  async beginning(resource: string): Promise<void> {
    for (const parked of this.#beginnings.get(resource) ?? []) {
      if (await parked.catch(() => {})) return;
    }
  }

  async #park(whole: Parcel, parking: Parking, atDoor?: AtDoor): Promise<KnownRoom | undefined> {
    for (;;) {
      const making = this.#roomFor(parking);
      const waits = atDoor && this.#book.of(parking.resource).length === 0;
      const room = await (waits ? this.doorstep.until(making, parking.resource, atDoor) : making);
      if (!room) return undefined;
      const parked = { key: room.name, ...parkedParcel(whole, parking) };
      if ((await this.#publisher.publish(parked)) === 'kept' && (await this.isThere(room.name))) {
        await this.#noteAgain(room);
        return room;
      }
      this.forget(room.name);
    }
  }

  /** A message that was not wanted, back to where it came from. It may be there twice, for a moment. */
  async putBack(name: string, message: AmqpMessage): Promise<void> {
    if ((await this.#publisher.publish({ key: name, ...frontParcel(message) })) === 'kept') return;
    // Somebody has removed it, with a message of it in hand.
    await this.#writer.putBack(message);
  }

  /** How many messages wait in it; nothing when there is no such queue. */
  async count(name: string): Promise<number | undefined> {
    return (await this.#look(name))?.messageCount;
  }

  async look(name: string): Promise<{ messageCount: number; consumerCount: number } | undefined> {
    return await this.#look(name);
  }

  /** Whether it is there. Many who ask at once are answered at once. */
  async isThere(name: string): Promise<boolean> {
    const checking = this.#checking.get(name);
    if (!checking) return await this.#check(name);
    // The question that is on its way may have been answered before this one's message came.
    checking.next ??= checking.now.then(
      () => this.#check(name),
      () => this.#check(name),
    );
    return await checking.next;
  }

  /** Removes it if it has neither messages nor consumers. True when it is gone. */
  async remove(name: string): Promise<boolean> {
    try {
      await this.#ask(name, (channel) => channel.deleteQueue(name, { ifEmpty: true, ifUnused: true }));
      return true;
    } catch (error) {
      if (replyCodeOf(error) === 406) return false;
      throw error;
    }
  }

  forget(name: string): void {
    this.#book.forget(name);
    this.#notedAt.delete(name);
  }

  async purge(name: string): Promise<number> {
    return (await this.#ask(name, (channel) => channel.purgeQueue(name)))?.messageCount ?? 0;
  }

  async #roomFor(parking: Parking): Promise<KnownRoom> {
    const [known] = this.#book.of(parking.resource);
    if (known) return known;
    const opening = this.#opening.get(parking.resource) ?? this.#open(parking);
    this.#opening.set(parking.resource, opening);
    try {
      return await opening;
    } finally {
      this.#opening.delete(parking.resource);
    }
  }

  async #open({ resource, weight, capacity, countdown }: Parking): Promise<KnownRoom> {
    const name = newRoomName(this.#names);
    const facts: RoomFacts = { name, at: Date.now(), resource, weight, capacity, countdown };
    await this.#writeNote(facts);
    await this.#calls.call((channel) =>
      channel.assertQueue(facts.name, {
        durable: true,
        // The virtual host may have another type for what names none.
        arguments: { 'x-queue-type': 'classic', 'x-max-priority': 1 },
      }),
    );
    return this.#book.learn(facts);
  }

  /** A note with what it goes by now. */
  async note(room: KnownRoom): Promise<void> {
    await this.#writeNote({ ...room.facts, at: Date.now() });
  }

  async #noteAgain(room: KnownRoom): Promise<void> {
    const notedAt = this.#notedAt.get(room.name) ?? Number.NEGATIVE_INFINITY;
    if (performance.now() - notedAt >= noteLife) await this.note(room);
  }

  async #writeNote(facts: RoomFacts): Promise<void> {
    const at = performance.now();
    await this.#writer.putNote(Buffer.from(JSON.stringify(facts)));
    this.#notedAt.set(facts.name, at);
  }

  async #check(name: string): Promise<boolean> {
    const now = this.#look(name).then((state) => state !== undefined && state !== unreachable);
    const checking = { now };
    this.#checking.set(name, checking);
    try {
      return await now;
    } finally {
      if (this.#checking.get(name) === checking) this.#checking.delete(name);
    }
  }

  async #look(name: string): Promise<QueueState | undefined> {
    try {
      return await this.#ask(name, (channel) => channel.checkQueue(name));
    } catch (error) {
      if (replyCodeOf(error) === 404) return unreachable;
      throw error;
    }
  }

  /**
   * The answer to a question about a queue; nothing when there is none of this name. One at a time, as amqplib sends them
   * anyway: a question that is refused closes the channel, and would take the others along.
   */
  async #ask<T>(name: string, question: (channel: AmqpChannel) => Promise<T>): Promise<T | undefined> {
    const by = performance.now() + stepTimeout;
    const asked = this.#asked.then(() => {
      if (performance.now() >= by) throw new Error(`no answer in ${stepTimeout} ms`);
      return this.#probe.call(question);
    });
    this.#asked = asked.catch(() => {});
    try {
      return await asked;
    } catch (error) {
      if (isMissing(error, name)) return undefined;
      throw error;
    }
  }
}

/** RabbitMQ has the same number for a queue whose server is down, and that is there again, with what is in it, later. */
function isMissing(error: unknown, name: string): boolean {
  return replyCodeOf(error) === 404 && (error as Error).message.includes(`no queue '${name}'`);
}
