import type { Message } from '../../message.js';
import type { AmqpMessage } from '../../rabbitmq/client.js';
import { Ahead } from './ahead.js';
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
  /** When it came to the door of its room, on the clock of `performance.now()`. */
  readonly since?: number;
}

/** What was found first: a message; or, left where it was, one of another weight. */
export type Found = Taken | { readonly weight: number };

/** The run that hands its permit on. */
export interface Before {
  /** What held its message, if that came from the same resource's rooms. */
  readonly tap: Tap | undefined;
  /** Milliseconds. */
  readonly ran: number;
}

/** Takes messages from the rooms of one queue. What somebody died with who had taken it goes back to the queue on the way. */
export class Taking {
  readonly #book: Book;
  readonly #rooms: Rooms;
  readonly #writer: Writer;
  readonly #taps: Taps;
  readonly #attendance: Attendance;
  /** Taps that are being opened to wait, by resource. */
  readonly #openings = new Map<string, Set<Promise<void>>>();
  readonly #isHeld: (message: AmqpMessage) => boolean;
  readonly #ahead = new Ahead((tap, resource) => void this.#giveBack(tap, resource));
  /** Those that are looked into now, by their names. */
  readonly #looks = new Map<string, Promise<unknown>>();

  /** `isHeld`: what was fetched, and not parked, is in hand still. */
  constructor(parts: {
    book: Book;
    rooms: Rooms;
    writer: Writer;
    taps: Taps;
    attendance: Attendance;
    isHeld: (message: AmqpMessage) => boolean;
  }) {
    this.#book = parts.book;
    this.#rooms = parts.rooms;
    this.#writer = parts.writer;
    this.#taps = parts.taps;
    this.#attendance = parts.attendance;
    this.#isHeld = parts.isHeld;
  }

  /** Messages that were taken ahead, and wait for a hand-off. */
  get ahead(): number {
    return this.#ahead.count;
  }

  /** Whether the next message of the resource's rooms is here. */
  isAtHand(resource: string): boolean {
    return this.#ahead.has(resource) || this.#rooms.doorstep.has(resource);
  }

  /** The next message of the resource's rooms, by a tap that is there already or by another one. */
  async take(resource: string, weight: number, before?: Before): Promise<Found | undefined> {
    const found = await this.#take(resource, weight, before?.tap);
    if (found && 'raw' in found) this.#began(found, resource, before?.ran);
    return found;
  }

  /** What is at the door came while a run went on, if it is a hand-off that takes it: then that was as short. */
  #began({ raw, tap, since }: Taken, resource: string, ran = since && performance.now() - since): void {
    this.#ahead.began(raw, resource, () => tap?.isOpen ?? this.#isHeld(raw));
    const room = tap ? this.#book.get(tap.name) : this.#book.of(resource)[0];
    // Where weights differ, whoever comes first must be seen by whoever is there.
    if (!room || room.facts.isMixed || ran === undefined || !this.#ahead.grows(resource, ran)) return;
    const all = this.#openings.get(resource) ?? new Set();
    const opening = this.#openAhead(room.name, resource).finally(() => {
      all.delete(opening);
      if (all.size === 0) this.#openings.delete(resource);
    });
    this.#openings.set(resource, all.add(opening));
  }

  async #take(resource: string, weight: number, held: Tap | undefined): Promise<Found | undefined> {
    const near = this.#nearest(resource, held);
    const found = near && (await this.#takeNear(near, resource, weight));
    if (found) return found;
    const atDoor = this.#rooms.doorstep.take(resource, weight);
    if (atDoor) return foundAt(atDoor, weight);
    // A permit that is given up now would have to be asked for again in a moment.
    await this.#rooms.beginning(resource);
    for (const room of this.#book.toTakeFrom(resource)) {
      const there = await this.#takeFrom(room, weight);
      if (there) return there;
    }
    return await this.#takeAwaited(resource, weight);
  }

  /** The rooms seem empty while their last message is on its way to a tap that waits for it. */
  async #takeAwaited(resource: string, weight: number): Promise<Found | undefined> {
    for (const opening of this.#openings.get(resource) ?? []) await opening;
    for (let tap = this.#ahead.takeEmpty(resource); tap; tap = this.#ahead.takeEmpty(resource)) {
      const found = tap.isOpen ? await this.#takeBy(tap, weight) : undefined;
      if (found) return found;
    }
    return undefined;
  }

  /** What has a message already; or else, what is given the next one. */
  #nearest(resource: string, held: Tap | undefined): Tap | undefined {
    const ahead = this.#ahead.take(resource);
    if (ahead && held) this.#keep(held, resource);
    return ahead ?? held;
  }

  /** By a tap that is there, unless there is another room: what is in that one came before. */
  async #takeNear(near: Tap, resource: string, weight: number): Promise<Found | undefined> {
    const [first] = this.#book.toTakeFrom(resource);
    if (!first || first.name === near.name) return await this.#takeBy(near, weight);
    try {
      const found = await this.#takeFrom(first, weight);
      if (!found) return await this.#takeBy(near, weight);
      this.#keep(near, resource);
      return found;
    } catch (error) {
      void near.drop();
      throw error;
    }
  }

  #keep(tap: Tap, resource: string): void {
    if (!this.#ahead.keep(tap, resource)) void this.#giveBack(tap, resource);
  }

  async #takeFrom(room: KnownRoom, weight: number): Promise<Found | undefined> {
    // From now on its keeper does not look into it; if it does already, the room seems empty meanwhile.
    room.attended();
    room.lookedInto();
    await this.#looks.get(room.name);
    const tap = await this.#taps.open(room.name);
    if (!tap) {
      this.#rooms.forget(room.name);
      return undefined;
    }
    const found = await this.#takeBy(tap, weight);
    if (found) room.filled();
    return found;
  }

  /** Ends a message that was taken. Its tap stays, where a hand-off is likely that has a use for it. */
  async end(tap: Tap, message: AmqpMessage, resource: string): Promise<boolean> {
    this.ended(message);
    return await tap.ack(message, { shut: !this.#ahead.keep(tap, resource) });
  }

  /** Ends a message that was taken. The next one that comes by its tap is taken in the same breath. */
  async endForNext(tap: Tap, message: AmqpMessage): Promise<boolean> {
    this.ended(message);
    return await tap.ack(message, { shut: false });
  }

  /** A message that was taken has ended. */
  ended(message: AmqpMessage): void {
    this.#ahead.ended(message);
  }

  /** Takes nothing ahead any more. What was goes back. */
  async stop(): Promise<void> {
    this.#rooms.doorstep.close();
    await Promise.all(this.#ahead.close().map(([tap, resource]) => this.#giveBack(tap, resource)));
  }

  /** As a process that dies: what waits here goes back with its channel. */
  leave(): void {
    this.#ahead.close();
    this.#rooms.doorstep.die();
  }

  async #openAhead(name: string, resource: string): Promise<void> {
    try {
      const tap = await this.#taps.open(name);
      if (tap && !this.#ahead.keep(tap, resource)) await this.letGo(tap);
    } catch {
      // The next one is waited for then.
    }
  }

  /** Others may have found its room empty meanwhile, and must hear that it is not. */
  async #giveBack(tap: Tap, resource: string): Promise<void> {
    try {
      if (await this.letGo(tap)) await this.#attendance.returned(resource);
    } catch {
      void tap.drop();
    }
  }

  /** Leaves a room. What has come from it by now goes back; tells whether anything had. */
  async letGo(tap: Tap): Promise<boolean> {
    const message = await tap.next();
    if (message) await this.#return(tap, message);
    return message !== undefined;
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

function foundAt({ raw, message, weight, since }: AtDoor, wanted: number): Found {
  return weight === wanted ? { raw, message, since } : { weight };
}
