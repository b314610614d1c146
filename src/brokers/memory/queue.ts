import type { Clock } from '../../clock.js';
import { asNew, decode, encode, type Message } from '../../message.js';
import type { Aside, Depth, Located, Outcome, Parking, Room, RoomState, Whereabouts } from '../broker.js';
import type { Agenda, Appointment } from './agenda.js';
import { Apart, messageIn } from './apart.js';
import { comesFirst, type Entry, type Held } from './entry.js';
import { Heap } from './heap.js';
import type { Revocations } from './revocations.js';
import { MemoryRoom } from './room.js';

/** What the queues of one broker share. */
export interface Commons {
  readonly clock: Clock;
  readonly agenda: Agenda;
  readonly revocations: Revocations;
  /** The next place in publish order. */
  order(): number;
  /** A message is ready. */
  onReady(): void;
  /** A room has become non-empty. */
  onRoom(queue: MemoryQueue, room: Room): void;
}

/**
 * One queue's messages.
 *
 * An entry is in exactly one place: ready, delayed, in a room, in hand, or gone. Whatever moves it takes it out of the
 * one place and puts it into the other before anything else runs, which is all there is to atomicity here.
 */
export class MemoryQueue {
  readonly name: string;
  readonly #commons: Commons;
  readonly #ready = new Heap<Entry>(comesFirst);
  readonly #delayed = new Map<Entry, Appointment>();
  readonly #rooms = new Map<string, MemoryRoom>();
  readonly #apart = new Apart();
  #running = 0;

  constructor(name: string, commons: Commons) {
    this.name = name;
    this.#commons = commons;
  }

  get hasReady(): boolean {
    return this.#ready.size > 0;
  }

  get rooms(): Iterable<MemoryRoom> {
    return this.#rooms.values();
  }

  room(resource: string): MemoryRoom | undefined {
    return this.#rooms.get(resource);
  }

  /** A new entry for a text. Of a text that is no message nothing else is known. */
  add(text: string, message: Message | undefined, delay = 0): void {
    const { id = '', priority = 0 } = message ?? {};
    const order = this.#commons.order();
    this.#delay({ queue: this, order, text, id, priority, losses: 0, weight: 0, leave: undefined }, delay);
  }

  /** Hands out the message that comes first. */
  next(): Held | undefined {
    for (let entry = this.#ready.shift(); entry; entry = this.#ready.shift()) {
      const held = this.#handOut(entry);
      if (held) return held;
    }
    return undefined;
  }

  /** Hands out a parked message. Nothing when its text is no message, which sets it apart. */
  take(entry: Entry, room: MemoryRoom): Held | undefined {
    room.attend();
    this.#leave(entry);
    return this.#handOut(entry);
  }

  /** What was in hand ends. */
  settle(entry: Entry, outcome: Outcome): void {
    // What can throw comes first: then the message is still in hand.
    const text = outcome.kind === 'again' ? encode(outcome.message) : entry.text;
    this.#running--;
    if (outcome.kind === 'aside') this.#setApart(text, outcome.reason);
    if (outcome.kind !== 'again') return;
    entry.text = text;
    entry.id = outcome.message.id;
    entry.priority = outcome.message.priority;
    if ('room' in outcome) this.#park(entry, outcome.room);
    else this.#delay(entry, outcome.after);
  }

  /** What was in the hands of a worker that is gone comes back. */
  lose(entry: Entry): void {
    this.#running--;
    entry.losses++;
    this.#makeReady(entry);
  }

  /** Ends the waiting of a delayed or parked message. */
  release(entry: Entry): void {
    this.#leave(entry);
    this.#makeReady(entry);
  }

  depth(): Depth {
    return {
      ready: this.#ready.size,
      delayed: this.#delayed.size,
      parked: [...this.#rooms.values()].reduce((sum, room) => sum + room.size, 0),
      running: this.#running,
      apart: this.#apart.size,
    };
  }

  roomStates(): RoomState[] {
    return [...this.#rooms.values()].map((room) => room.state());
  }

  /** The message with this id, if it waits here. */
  locate(id: string): Located | undefined {
    const has = (entry: Entry) => (entry.id || messageIn(entry.text)?.id) === id;
    const ready = this.#ready.values();
    const entry = ready.find(has);
    if (entry) return this.#located(entry, { where: 'ready', ahead: countBefore(entry, ready) });
    for (const { resource, entries } of this.#rooms.values()) {
      const parked = entries.find(has);
      if (parked) {
        return this.#located(parked, { where: 'parked', resource, ahead: countBefore(parked, entries) });
      }
    }
    const { clock } = this.#commons;
    for (const [delayed, due] of this.#delayed) {
      const until = clock.wall() + due.value.at - clock.now();
      if (has(delayed)) return this.#located(delayed, { where: 'delayed', until });
    }
    return undefined;
  }

  /** The message with this id, if it was set aside here. */
  locateApart(id: string): Located | undefined {
    const aside = this.#apart.list().find(({ message }) => message?.id === id);
    return aside?.message && { queue: this.name, message: aside.message, where: 'apart', aside };
  }

  purge(): number {
    const waiting = [...this.#delayed.keys(), ...[...this.#rooms.values()].flatMap((room) => room.entries)];
    for (const entry of waiting) this.#leave(entry);
    const count = this.#ready.size + waiting.length;
    this.#ready.clear();
    return count;
  }

  asides(): Aside[] {
    return this.#apart.list();
  }

  replay(asideId: string): boolean {
    const kept = this.#apart.take(asideId);
    if (!kept) return false;
    const message = messageIn(kept.text);
    const renewed = message && asNew(message);
    this.add(renewed ? encode(renewed) : kept.text, renewed);
    return true;
  }

  discard(asideId: string): boolean {
    return this.#apart.take(asideId) !== undefined;
  }

  #located(entry: Entry, where: Whereabouts): Located {
    return { queue: this.name, message: decode(entry.text), ...where };
  }

  #handOut(entry: Entry): Held | undefined {
    try {
      const message = decode(entry.text);
      this.#running++;
      return { entry, message };
    } catch (error) {
      this.#setApart(entry.text, (error as Error).message);
      return undefined;
    }
  }

  #makeReady(entry: Entry): void {
    this.#ready.push(entry);
    this.#commons.onReady();
  }

  #delay(entry: Entry, ms: number): void {
    if (!(ms > 0) || this.#commons.revocations.has(entry.id)) {
      this.#makeReady(entry);
      return;
    }
    const { agenda } = this.#commons;
    const due = agenda.add(ms, () => this.release(entry));
    this.#delayed.set(entry, due);
    this.#wait(entry, () => {
      agenda.cancel(due);
      this.#delayed.delete(entry);
    });
  }

  #park(entry: Entry, parking: Parking): void {
    const { agenda, clock, revocations } = this.#commons;
    const left = (parking.deadline ?? Number.POSITIVE_INFINITY) - clock.wall();
    if (left <= 0 || revocations.has(entry.id)) {
      this.#makeReady(entry);
      return;
    }
    const room = this.#rooms.get(parking.resource) ?? new MemoryRoom(this.name, parking.resource, clock);
    const place = room.park(entry, parking);
    const due = parking.deadline === undefined ? undefined : agenda.add(left, () => this.release(entry));
    this.#wait(entry, () => {
      if (due) agenda.cancel(due);
      room.remove(place);
      if (room.size === 0) this.#rooms.delete(room.resource);
    });
    if (this.#rooms.has(room.resource)) return;
    this.#rooms.set(room.resource, room);
    this.#commons.onRoom(this, room.describe());
  }

  #wait(entry: Entry, leave: () => void): void {
    entry.leave = leave;
    this.#commons.revocations.add(entry);
  }

  #leave(entry: Entry): void {
    entry.leave?.();
    entry.leave = undefined;
    this.#commons.revocations.remove(entry);
  }

  #setApart(text: string, reason: string): void {
    this.#apart.add({ text, reason, at: this.#commons.clock.wall() });
  }
}

function countBefore(entry: Entry, others: readonly Entry[]): number {
  return others.filter((other) => comesFirst(other, entry)).length;
}
