import { Crowd } from '../../crowd.js';
import { ClosedError } from '../../errors.js';
import type {
  ConsumeOptions,
  Consumer,
  Delivery,
  Outcome,
  Room,
  RoomRef,
  Taken,
  TakeOptions,
} from '../broker.js';
import { MemoryDelivery } from './delivery.js';
import { comesFirst, type Entry, type Held } from './entry.js';
import type { Pump, Served } from './pump.js';
import type { Commons, MemoryQueue } from './queue.js';
import type { MemoryRoom } from './room.js';

export class MemoryConsumer implements Consumer, Served {
  readonly takesAlone = true;
  readonly #queues: readonly MemoryQueue[];
  readonly #options: ConsumeOptions;
  readonly #commons: Commons;
  readonly #pump: Pump;
  readonly #hand = new Crowd<MemoryDelivery>();
  #state: 'fetching' | 'stopped' | 'vanished' | 'closed' = 'fetching';
  #turn = 0;
  /** Somebody was told that no slot is idle, or a slot was freed: `onIdle` is to be called when one is idle. */
  #awaited = true;

  constructor(queues: readonly MemoryQueue[], options: ConsumeOptions, commons: Commons, pump: Pump) {
    this.#queues = queues;
    this.#options = options;
    this.#commons = commons;
    this.#pump = pump;
    pump.add(this);
  }

  get idle(): number {
    if (!this.#isIdle) this.#awaited = true;
    return this.#isIdle ? this.#free : 0;
  }

  get more(): boolean {
    return this.#state === 'fetching' && this.#hasReady;
  }

  /** Nothing comes between them: whoever fetches here is in the same process. */
  get silence(): number {
    return 0;
  }

  async take(resource: string, { weight, settling }: TakeOptions): Promise<Taken> {
    this.#checkOpen();
    if (settling) {
      if (!this.#end(settling.delivery, settling.outcome)) return { kind: 'void' };
    } else if (this.#free === 0) {
      throw new Error('take() without `settling` needs a free slot: call it only while `idle` is above 0');
    }
    const taken = this.#takeFirst(resource, weight);
    if (taken.kind !== 'taken') this.#onFreed();
    return taken;
  }

  async rooms(): Promise<readonly Room[]> {
    return this.#allRooms().map((room) => room.describe());
  }

  async vacant(resources: readonly string[]): Promise<readonly string[]> {
    this.#checkOpen();
    return resources.filter((resource) => !this.#roomOf(resource));
  }

  async attend(rooms: readonly RoomRef[]): Promise<void> {
    this.#checkOpen();
    for (const { queue, resource } of rooms) {
      this.#queues
        .find(({ name }) => name === queue)
        ?.room(resource)
        ?.attend();
    }
  }

  async orphans(): Promise<readonly Room[]> {
    const orphans = this.#allRooms().filter((room) => room.untended);
    for (const room of orphans) room.attend();
    return orphans.map((room) => room.describe());
  }

  async stop(): Promise<void> {
    if (this.#state === 'fetching') this.#state = 'stopped';
  }

  async close(): Promise<void> {
    this.#leave();
  }

  /**
   * What a killed process does, for tests: nothing, from now on. Its deliveries are its own until the lease is over.
   *
   * @internal
   */
  vanish(): void {
    if (this.#state === 'closed') return;
    this.#state = 'vanished';
    this.#commons.agenda.add(this.#options.lease, () => this.#leave());
  }

  fetch(): boolean {
    if (this.#state !== 'fetching' || this.#free === 0) return false;
    for (let tried = 0; tried < this.#queues.length; tried++) {
      this.#turn = (this.#turn + 1) % this.#queues.length;
      const held = this.#queues[this.#turn]?.next();
      if (!held) continue;
      this.#options.onDelivery(this.#receive(held));
      return true;
    }
    return false;
  }

  onEmpty(): void {
    if (!this.#awaited || !this.#isIdle) return;
    this.#awaited = false;
    this.#options.onIdle?.();
  }

  onRoom(queue: MemoryQueue, room: Room): void {
    if (this.#state === 'fetching' && this.#queues.includes(queue)) this.#options.onRoom?.(room);
  }

  onRevoked(id: string): void {
    if (this.#state === 'fetching' || this.#state === 'stopped') this.#options.onRevoked?.(id);
  }

  inHand(id: string, queues: readonly MemoryQueue[]): Delivery | undefined {
    for (const delivery of this.#hand) {
      if (delivery.message.id === id && queues.includes(delivery.entry.queue)) return delivery;
    }
    return undefined;
  }

  get #free(): number {
    return this.#options.concurrency - this.#hand.size;
  }

  get #isIdle(): boolean {
    return this.#state === 'fetching' && this.#free > 0 && !this.#hasReady;
  }

  get #hasReady(): boolean {
    for (const queue of this.#queues) if (queue.hasReady) return true;
    return false;
  }

  #receive(held: Held, room?: string): MemoryDelivery {
    const revoked = this.#commons.revocations.has(held.message.id);
    const delivery = new MemoryDelivery(held, { room, revoked, settle: this.#settle });
    this.#hand.add(delivery);
    return delivery;
  }

  readonly #settle = (delivery: MemoryDelivery, outcome: Outcome): boolean => {
    const ended = this.#end(delivery, outcome);
    if (ended) this.#onFreed();
    return ended;
  };

  #end(delivery: Delivery, outcome: Outcome): boolean {
    if (!this.#owns(delivery)) return false;
    delivery.entry.queue.settle(delivery.entry, outcome);
    this.#hand.delete(delivery);
    return true;
  }

  #owns(delivery: Delivery): delivery is MemoryDelivery {
    return this.#hand.has(delivery as MemoryDelivery);
  }

  #onFreed(): void {
    this.#awaited = true;
    this.#pump.wake();
  }

  #takeFirst(resource: string, weight: number): Taken {
    if (this.#state !== 'fetching') return { kind: 'empty' };
    for (let room = this.#roomOf(resource); room?.first; room = this.#roomOf(resource)) {
      const { first } = room;
      if (first.weight !== weight) return { kind: 'other', weight: first.weight };
      const held = first.queue.take(first, room);
      if (held) return { kind: 'taken', delivery: this.#receive(held, resource) };
    }
    return { kind: 'empty' };
  }

  /** Of this resource's rooms, the one whose first message comes first. */
  #roomOf(resource: string): MemoryRoom | undefined {
    let best: { room: MemoryRoom; first: Entry } | undefined;
    for (const queue of this.#queues) {
      const room = queue.room(resource);
      if (room?.first && (!best || comesFirst(room.first, best.first))) best = { room, first: room.first };
    }
    return best?.room;
  }

  #allRooms(): MemoryRoom[] {
    this.#checkOpen();
    return this.#queues.flatMap((queue) => [...queue.rooms]);
  }

  #leave(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#pump.remove(this);
    for (const { entry } of this.#hand) entry.queue.lose(entry);
    this.#hand.clear();
  }

  #checkOpen(): void {
    if (this.#state === 'closed') throw new ClosedError('The consumer');
  }
}
