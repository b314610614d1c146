import type { Message } from '../../message.js';
import type { AmqpMessage } from '../../rabbitmq/client.js';
import type { Attendance } from './attendance.js';
import type { Book, KnownRoom } from './book.js';
import type { AtDoor } from './doorstep.js';
import type { Rooms } from './rooms.js';
import type { Tap, Taps } from './tap.js';
import { weightOf } from './wire.js';
import type { Writer } from './writer.js';

interface Taken {
  readonly raw: AmqpMessage;
  /** What holds it. Absent where its queue does still, for it was not parked yet. */
  readonly tap?: Tap;
  readonly message?: Message;
}

/** What was found first: a message; or, left where it was, one of another weight. */
export type Found = Taken | { readonly weight: number };

/** Takes messages from the rooms of one queue. What somebody died with who had taken it goes back to the queue on the way. */
export class Taking {
  readonly #book: Book;
  readonly #rooms: Rooms;
  readonly #writer: Writer;
  readonly #taps: Taps;
  readonly #attendance: Attendance;
  /** Those that are looked into now, by their names. */
  readonly #looks = new Map<string, Promise<unknown>>();

  constructor(parts: { book: Book; rooms: Rooms; writer: Writer; taps: Taps; attendance: Attendance }) {
    this.#book = parts.book;
    this.#rooms = parts.rooms;
    this.#writer = parts.writer;
    this.#taps = parts.taps;
    this.#attendance = parts.attendance;
  }

  /** The next message of the resource's rooms, by a tap that is there already or by another one. */
  async take(resource: string, weight: number, held?: Tap): Promise<Found | undefined> {
    const near = held && (await this.#takeNear(held, resource, weight));
    if (near) return near;
    const atDoor = this.#rooms.doorstep.take(resource, weight);
    if (atDoor) return found(atDoor, weight);
    // A permit that is given up now would have to be asked for again in a moment.
    await this.#rooms.beginning(resource);
    for (const room of this.#book.toTakeFrom(resource)) {
      const there = await this.#takeFrom(room, weight);
      if (there) return there;
    }
    return undefined;
  }

  /** By the tap that is held, unless another room comes before its own: then the held one is let go of. */
  async #takeNear(held: Tap, resource: string, weight: number): Promise<Found | undefined> {
    const [first] = this.#book.toTakeFrom(resource);
    if (!first || first.name === held.name) return await this.#takeBy(held, weight);
    try {
      const there = await this.#takeFrom(first, weight);
      if (!there) return await this.#takeBy(held, weight);
      await this.#leave(held);
      return there;
    } catch (error) {
      void held.drop();
      throw error;
    }
  }

  /** What has come by it goes back, of which whoever found the room empty meanwhile must hear. */
  async #leave(held: Tap): Promise<void> {
    try {
      await this.letGo(held);
      const room = this.#book.get(held.name);
      if (room) await this.#attendance.tellOf(room);
    } catch {
      void held.drop();
    }
  }

  async #takeFrom(room: KnownRoom, weight: number): Promise<Found | undefined> {
    // From now on its keeper does not look into it; if it does already, the room seems empty meanwhile.
    room.attended();
    await this.#looks.get(room.name);
    const tap = await this.#taps.open(room.name);
    if (tap) return await this.#takeBy(tap, weight);
    this.#rooms.forget(room.name);
    return undefined;
  }

  /** Leaves a room. What has come from it by now goes back. */
  async letGo(tap: Tap): Promise<void> {
    const message = await tap.next();
    if (message) await this.#return(tap, message);
  }

  /** Looks at the message that comes first, and leaves it there. */
  async peek(room: KnownRoom): Promise<AmqpMessage | undefined> {
    await this.#looks.get(room.name);
    const look = this.#peek(room.name);
    this.#looks.set(
      room.name,
      look.catch(() => {}),
    );
    try {
      return await look;
    } finally {
      this.#looks.delete(room.name);
    }
  }

  async #peek(name: string): Promise<AmqpMessage | undefined> {
    const tap = await this.#taps.open(name);
    try {
      const message = await tap?.next();
      if (!tap || !message) return undefined;
      await this.#return(tap, message);
      return message;
    } catch (error) {
      void tap?.drop();
      throw error;
    }
  }

  /** To the front of its room; or, if somebody died with it, to the queue. */
  async #return(tap: Tap, message: AmqpMessage): Promise<void> {
    if (message.fields.redelivered) await this.#writer.putBackLost(message);
    else await this.#rooms.putBack(tap.name, message);
    await tap.ack(message, { shut: true });
  }

  async #takeBy(tap: Tap, weight: number): Promise<Found | undefined> {
    try {
      for (;;) {
        const message = await tap.next();
        this.#attendance.touched(tap.name);
        if (!message) {
          this.#book.get(tap.name)?.foundEmpty();
          return undefined;
        }
        const weighs = weightOf(message);
        if (message.fields.redelivered) {
          await this.#writer.putBackLost(message);
          await tap.ack(message, { shut: false });
        } else if (weighs === weight) {
          return { raw: message, tap };
        } else {
          await this.#return(tap, message);
          return { weight: weighs };
        }
      }
    } catch (error) {
      void tap.drop();
      throw error;
    }
  }
}

function found({ raw, message, weight }: AtDoor, wanted: number): Found {
  return weight === wanted ? { raw, message } : { weight };
}
