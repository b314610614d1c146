import type { OpenChannel } from '../../rabbitmq/channel.js';
import type { AmqpMessage } from '../../rabbitmq/client.js';
import type { Book, KnownRoom, RoomFacts } from './book.js';
import { noteLife, type Rooms } from './rooms.js';

interface Kept {
  readonly facts: RoomFacts;
  readonly note: AmqpMessage;
  readonly since: number;
  /** Since when it has been seen without messages and consumers, each time it was looked at. */
  emptySince?: number | undefined;
  /** When its first message was looked at. */
  lookedAt: number;
}

export interface KeeperHost {
  readonly book: Book;
  readonly rooms: Rooms;
  /** Milliseconds: what was in the hands of the dead comes back within it. */
  readonly lease: number;
  /** A note was given to this worker, which may not have known its room. */
  onRoom(room: KnownRoom): void;
  /** Brings what a dead worker left in the room back to the queue. */
  bringBackLost(room: KnownRoom): Promise<void>;
  /** Publishes a new note for the room. */
  renote(facts: RoomFacts): Promise<void>;
  /** A room was removed here. */
  onRemoved(name: string): void;
  onError(error: unknown): void;
}

/** An empty room is removed after this many milliseconds. */
const linger = 5_000;
/** A note that nobody acknowledges for long would make RabbitMQ close its channel: it is replaced by a new one. */
const noteHeld = 600_000;

/**
 * Keeps the rooms whose notes this worker was given.
 *
 * RabbitMQ has no index of its queues for clients. So there is a note for each room, in a queue of notes. It is delivered to
 * one worker of the queue, which does not acknowledge it for as long as the room is there: the room's keeper. When the
 * keeper dies, or leaves, the server gives the note to another. When there is no worker, notes wait for the first to come,
 * which so learns of all the rooms. Nothing goes round for it while nothing happens.
 *
 * The keeper calls a room an orphan that nobody has attended for its countdown, brings messages back that somebody died
 * with who took them from the room, and removes the room when it has stood empty for a while.
 */
export class Keeper {
  readonly #host: KeeperHost;
  readonly #channel: OpenChannel;
  readonly #kept = new Map<string, Kept>();
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;

  constructor(host: KeeperHost, channel: OpenChannel) {
    this.#host = host;
    this.#channel = channel;
    this.#schedule();
  }

  received(note: AmqpMessage): void {
    const facts = factsIn(note);
    if (!facts) return void this.#ack(note);
    const before = this.#kept.get(facts.name);
    if (before) this.#ack(before.note);
    const { book } = this.#host;
    const wasKnown = book.get(facts.name);
    const room = book.learn(facts);
    const lookedAt =
      before?.lookedAt ?? (note.fields.redelivered ? Number.NEGATIVE_INFINITY : performance.now());
    this.#kept.set(facts.name, { facts, note, since: performance.now(), lookedAt });
    // Of a new room its maker tells.
    if (!wasKnown && note.fields.redelivered) this.#host.onRoom(room);
  }

  /**
   * Of these rooms (by default all) those kept here that have messages, and that nobody attended for their countdown. They
   * count as attended from now on.
   */
  async orphans(names: Iterable<string> = this.#kept.keys()): Promise<KnownRoom[]> {
    const orphans: KnownRoom[] = [];
    for (const name of [...names]) {
      const room = this.#kept.has(name) ? this.#host.book.get(name) : undefined;
      if (!room?.isUntended) continue;
      room.attended();
      if (await this.#host.rooms.count(name)) orphans.push(room);
    }
    return orphans;
  }

  keeps(name: string): boolean {
    return this.#kept.has(name);
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  #schedule(): void {
    if (this.#isStopped) return;
    const pause = Math.min(2_500, Math.max(100, this.#host.lease / 4));
    this.#timer = setTimeout(() => void this.#round(), pause);
    this.#timer.unref();
  }

  async #round(): Promise<void> {
    try {
      for (const kept of [...this.#kept.values()]) {
        if (this.#isStopped || !this.#channel.isOpen) return;
        await this.#look(kept);
      }
    } catch (error) {
      if (!this.#isStopped) this.#host.onError(error);
    } finally {
      this.#schedule();
    }
  }

  async #look(kept: Kept): Promise<void> {
    const { book, rooms } = this.#host;
    const state = await rooms.look(kept.facts.name);
    const now = performance.now();
    if (!state) {
      // Whoever wrote the note may still be about to make the room.
      if (now - kept.since >= 2 * noteLife) this.#drop(kept);
      return;
    }
    const room = book.get(kept.facts.name) ?? book.learn(kept.facts);
    if (state.messageCount > 0) await this.#seeToMessages(kept, room, now);
    if (state.messageCount > 0 || state.consumerCount > 0) kept.emptySince = undefined;
    else if (kept.emptySince === undefined) kept.emptySince = now;
    else if (now - kept.emptySince >= linger) await this.#remove(kept);
    if (now - kept.since >= noteHeld) await this.#renew(kept);
  }

  /** Of those that nobody takes, the first may be one that somebody died with. */
  async #seeToMessages(kept: Kept, room: KnownRoom, now: number): Promise<void> {
    const patience = Math.min(this.#host.lease / 2, room.facts.countdown);
    if (now - room.attendedAt < patience || now - kept.lookedAt < patience) return;
    kept.lookedAt = now;
    await this.#host.bringBackLost(room);
  }

  async #remove(kept: Kept): Promise<void> {
    kept.emptySince = undefined;
    if (!(await this.#host.rooms.remove(kept.facts.name))) return;
    this.#drop(kept);
    this.#host.onRemoved(kept.facts.name);
  }

  async #renew(kept: Kept): Promise<void> {
    await this.#host.renote(kept.facts);
    this.#kept.delete(kept.facts.name);
    this.#ack(kept.note);
  }

  #drop({ facts, note }: Kept): void {
    this.#kept.delete(facts.name);
    this.#host.rooms.forget(facts.name);
    this.#ack(note);
  }

  #ack(note: AmqpMessage): void {
    this.#channel.send((channel) => channel.ack(note));
  }
}

/** Nothing when somebody else wrote into the queue. */
export function factsIn(note: AmqpMessage): RoomFacts | undefined {
  try {
    const facts = JSON.parse(note.content.toString()) as RoomFacts;
    return typeof facts.name === 'string' && typeof facts.resource === 'string' ? facts : undefined;
  } catch {
    return undefined;
  }
}
