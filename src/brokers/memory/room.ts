import type { Clock } from '../../clock.js';
import { decode } from '../../message.js';
import type { Parking, Room, RoomState } from '../broker.js';
import { comesFirst, type Entry } from './entry.js';
import { Heap, type Place } from './heap.js';

/** The messages of one queue that wait for one resource. An empty room does not exist. */
export class MemoryRoom {
  readonly resource: string;
  readonly #queue: string;
  readonly #clock: Clock;
  readonly #parked = new Heap<Entry>(comesFirst);
  #capacity = 0;
  #countdown = 0;
  #attended = 0;

  constructor(queue: string, resource: string, clock: Clock) {
    this.#queue = queue;
    this.resource = resource;
    this.#clock = clock;
  }

  get size(): number {
    return this.#parked.size;
  }

  get first(): Entry | undefined {
    return this.#parked.first;
  }

  get entries(): Entry[] {
    return this.#parked.values();
  }

  /** Nobody attended it for its countdown. */
  get untended(): boolean {
    return this.#clock.now() - this.#attended >= this.#countdown;
  }

  /** Whoever parked last knows the resource best: its capacity and countdown are the room's. */
  park(entry: Entry, parking: Parking): Place<Entry> {
    this.#capacity = parking.capacity;
    this.#countdown = parking.countdown;
    entry.weight = parking.weight;
    this.attend();
    return this.#parked.push(entry);
  }

  remove(place: Place<Entry>): void {
    this.#parked.remove(place);
  }

  attend(): void {
    this.#attended = this.#clock.now();
  }

  state(): RoomState {
    const { entries, resource } = this;
    const oldest = entries.reduce((one, other) => (other.order < one.order ? other : one));
    const { sentAt, deferredAt = sentAt } = decode(oldest.text);
    return { queue: this.#queue, resource, parked: entries.length, since: deferredAt };
  }

  describe(): Room {
    return {
      queue: this.#queue,
      resource: this.resource,
      weight: this.first?.weight ?? 1,
      capacity: this.#capacity,
      countdown: this.#countdown,
    };
  }
}
