import type { Parking, Room } from '../broker.js';

/** A room's queue in RabbitMQ, and the terms on which messages were parked there last. */
export interface RoomFacts extends Pick<Parking, 'resource' | 'weight' | 'capacity' | 'countdown'> {
  /** What its queue is called. */
  readonly name: string;
  /** Milliseconds since 1970: when this was written. */
  readonly at: number;
  /** Messages of several weights were parked there, so that another one's than this may come first. */
  readonly isMixed?: boolean;
}

/** For so many milliseconds a room that was found empty is looked into after the others, unless somebody tells otherwise. */
const emptyFor = 500;

/** A room's queue, as far as is known here. Times are on the clock of `performance.now()`. */
export class KnownRoom {
  readonly name: string;
  readonly resource: string;
  facts: RoomFacts;
  /** When somebody was last known to stand in line for it, to park there, or to take from it. */
  attendedAt: number;
  /** When the others were last told of it from here. */
  toldAt = Number.NEGATIVE_INFINITY;
  #emptyAt = Number.NEGATIVE_INFINITY;

  constructor(facts: RoomFacts) {
    this.name = facts.name;
    this.resource = facts.resource;
    this.facts = facts;
    this.attendedAt = performance.now() - Math.max(0, Date.now() - facts.at);
  }

  /** Whether these are other terms than it goes by. */
  learn(facts: RoomFacts): boolean {
    const { weight, capacity, countdown, isMixed = false } = this.facts;
    this.facts = { ...facts, isMixed: isMixed || facts.isMixed === true || weight !== facts.weight };
    return (
      weight !== facts.weight ||
      capacity !== facts.capacity ||
      countdown !== facts.countdown ||
      isMixed !== this.facts.isMixed
    );
  }

  attended(): void {
    this.attendedAt = performance.now();
  }

  /** Somebody has parked there, or tells that there are messages. */
  filled(): void {
    this.attended();
    this.#emptyAt = Number.NEGATIVE_INFINITY;
  }

  /** Somebody looked into it, and there was nothing. */
  foundEmpty(): void {
    this.#emptyAt = performance.now();
  }

  /** It was found empty a moment ago. */
  get seemsEmpty(): boolean {
    return performance.now() - this.#emptyAt < emptyFor;
  }

  /** Whether nobody has attended it for its countdown, as far as is known here. */
  get isUntended(): boolean {
    return performance.now() - this.attendedAt >= this.facts.countdown;
  }

  room(queue: string): Room {
    const { resource, weight, capacity, countdown } = this.facts;
    return { queue, resource, weight, capacity, countdown };
  }
}

/**
 * The rooms of one queue that are known here. A resource may have more than one queue for its room: whoever knows of none
 * makes one, and none is ever used again after it was removed. As soon as they know of each other all park in the same one,
 * the first by name, and take from the others first: what is there came before. Nothing but the order depends on it.
 */
export class Book {
  readonly #rooms = new Map<string, KnownRoom>();

  get size(): number {
    return this.#rooms.size;
  }

  /** All of them, oldest first. */
  get all(): KnownRoom[] {
    return [...this.#rooms.values()];
  }

  get(name: string): KnownRoom | undefined {
    return this.#rooms.get(name);
  }

  /** The first is the one to park in. */
  of(resource: string): KnownRoom[] {
    const rooms = this.all.filter((room) => room.resource === resource);
    return rooms.length > 1 ? rooms.sort((a, b) => (a.name < b.name ? -1 : 1)) : rooms;
  }

  /** The same, as they are taken from. */
  toTakeFrom(resource: string): KnownRoom[] {
    const rooms = this.of(resource).reverse();
    return rooms.length > 1 ? rooms.sort((a, b) => Number(a.seemsEmpty) - Number(b.seemsEmpty)) : rooms;
  }

  /** All of them: those of the same resource as they are taken from. */
  get inTurn(): KnownRoom[] {
    const resources = new Set(this.all.map(({ resource }) => resource));
    if (resources.size === this.size) return this.all;
    return [...resources].flatMap((resource) => this.toTakeFrom(resource));
  }

  learn(facts: RoomFacts): KnownRoom {
    const known = this.#rooms.get(facts.name);
    if (known) {
      known.learn(facts);
      return known;
    }
    const room = new KnownRoom(facts);
    this.#rooms.set(facts.name, room);
    return room;
  }

  forget(name: string): void {
    this.#rooms.delete(name);
  }

  attended(resources: readonly string[]): void {
    const all = new Set(resources);
    for (const room of this.#rooms.values()) if (all.has(room.resource)) room.attended();
  }
}
