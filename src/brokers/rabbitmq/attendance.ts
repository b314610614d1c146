import type { Book, KnownRoom } from './book.js';
import type { NewsDesk } from './news.js';
import type { Rooms } from './rooms.js';

/** Others are told of a room again, on which they may have given up, after this many milliseconds. */
const tellAgainAfter = 200;
/** As often are others told of rooms that are attended by parking and taking, in milliseconds. */
const tellAttended = 300;

/** Lets the other workers of a queue know which rooms have messages, and which are seen to from here. */
export class Attendance {
  readonly #book: Book;
  readonly #rooms: Rooms;
  readonly #desk: NewsDesk;
  readonly #news: string;
  readonly #touched = new Set<string>();
  #telling: NodeJS.Timeout | undefined;

  /** `news`: the key that the queue's workers hear. */
  constructor({ book, rooms, desk, news }: { book: Book; rooms: Rooms; desk: NewsDesk; news: string }) {
    this.#book = book;
    this.#rooms = rooms;
    this.#desk = desk;
    this.#news = news;
  }

  /** Somebody stands in line here for these resources. */
  async attend(resources: readonly string[]): Promise<void> {
    this.#book.attended(resources);
    await this.#desk.tell(this.#news, { kind: 'attended', resources });
  }

  /** Something was parked in the room. `isNews`: on other terms than before. */
  async parked(room: KnownRoom, isNews: boolean): Promise<void> {
    room.filled();
    if (isNews) await this.#rooms.note(room);
    // Where others do not park they do not look, either.
    const [usual] = this.#book.of(room.resource);
    const isKnown = !isNews && room === usual && performance.now() - room.toldAt < tellAgainAfter;
    if (isKnown) this.touched(room.name);
    else await this.tellOf(room);
  }

  /** Tells the others that there are messages in it, which they may not know or may have taken to be gone. */
  async tellOf(room: KnownRoom): Promise<void> {
    room.toldAt = performance.now();
    await this.#desk.tell(this.#news, { kind: 'room', room: room.facts });
  }

  /** Somebody parked there or took from there, which is to be known to whoever keeps it. */
  touched(name: string): void {
    const room = this.#book.get(name);
    if (!room) return;
    room.attended();
    this.#touched.add(room.resource);
    if (this.#telling) return;
    this.#telling = setTimeout(() => this.#tell(), tellAttended);
    this.#telling.unref();
  }

  stop(): void {
    clearTimeout(this.#telling);
    this.#telling = undefined;
  }

  #tell(): void {
    this.#telling = undefined;
    const resources = [...this.#touched];
    this.#touched.clear();
    this.#desk.tell(this.#news, { kind: 'attended', resources }).catch(() => {});
  }
}
