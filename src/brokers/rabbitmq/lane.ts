import { randomUUID } from 'node:crypto';
import { jittered } from '../../clock.js';
import { type OpenChannel, openChannel } from '../../rabbitmq/channel.js';
import type { AmqpMessage } from '../../rabbitmq/client.js';
import type { RabbitConnection } from '../../rabbitmq/connection.js';
import type { Publisher } from '../../rabbitmq/publisher.js';
import type { Outcome, Parking, Room } from '../broker.js';
import { Attendance } from './attendance.js';
import { Book, type KnownRoom, type RoomFacts } from './book.js';
import type { RabbitDelivery } from './delivery.js';
import type { AtDoor } from './doorstep.js';
import { Keeper } from './keeper.js';
import type { Names } from './names.js';
import type { Answer, News, NewsDesk } from './news.js';
import { mostRooms, Rooms } from './rooms.js';
import { Taking } from './taking.js';
import { Taps } from './tap.js';
import type { Topology } from './topology.js';
import { asideParcel, leftOf, lossesOf, lostParcel, type Parcel, parcel, weightOf } from './wire.js';
import { Writer } from './writer.js';

export interface LaneHost {
  /** Deliveries that may be in hand, unacknowledged, at once. */
  readonly slots: number;
  readonly lease: number;
  onMessage(lane: Lane, message: AmqpMessage): void;
  onRoom(room: Room): void;
  onError(error: unknown): void;
}

type Ended = Pick<RabbitDelivery, 'raw' | 'losses' | 'tap'>;

/**
 * One worker's part in one queue.
 *
 * What is put back is published first, and its delivery acknowledged when the server has confirmed that: if the process dies
 * in between there are two copies, and never none.
 */
export class Lane {
  readonly names: Names;
  readonly book = new Book();
  readonly rooms: Rooms;
  readonly taking: Taking;
  readonly #host: LaneHost;
  readonly #connection: RabbitConnection;
  readonly #topology: Topology;
  readonly #writer: Writer;
  readonly #desk: NewsDesk;
  readonly #taps: Taps;
  readonly #attendance: Attendance;
  #fetching: OpenChannel | undefined;
  /** What each message came by: on another channel its number means another message. */
  readonly #cameBy = new WeakMap<AmqpMessage, OpenChannel>();
  #keeper: Keeper | undefined;
  #tag: string | undefined;

  constructor(
    parts: {
      names: Names;
      topology: Topology;
      connection: RabbitConnection;
      publisher: Publisher;
      desk: NewsDesk;
    },
    host: LaneHost,
  ) {
    this.#host = host;
    this.names = parts.names;
    this.#connection = parts.connection;
    this.#topology = parts.topology;
    this.#desk = parts.desk;
    this.#writer = new Writer(parts.publisher, parts.topology, parts.names);
    this.#taps = new Taps(parts.connection, host.onError);
    const { book } = this;
    this.rooms = new Rooms({ ...parts, book, writer: this.#writer });
    this.#attendance = new Attendance({ ...parts, book, rooms: this.rooms, news: this.names.news });
    const [writer, taps, attendance] = [this.#writer, this.#taps, this.#attendance];
    this.taking = new Taking({ book, rooms: this.rooms, writer, taps, attendance });
  }

  /** Whether it can be asked what waits. */
  get isOpen(): boolean {
    return this.#fetching?.isOpen ?? false;
  }

  /** Whether a message that it fetched is its own still. */
  holds(message: AmqpMessage): boolean {
    return this.#cameBy.get(message)?.isOpen ?? false;
  }

  /** Learns of the rooms there are, from their notes and from the other workers. */
  async join(): Promise<OpenChannel> {
    // It may be another server's, or somebody has removed what there was.
    this.#topology.forget();
    await this.#topology.queue();
    await this.rooms.open();
    const noting = await openChannel(this.#connection);
    const keeper = new Keeper(
      {
        book: this.book,
        rooms: this.rooms,
        lease: this.#host.lease,
        onRoom: (room) => this.#host.onRoom(room.room(this.names.queue)),
        bringBackLost: async (room) => void (await this.taking.peek(room)),
        renote: (facts) => this.#writer.putNote(Buffer.from(JSON.stringify(facts))),
        onRemoved: (name) => void this.#desk.tell(this.names.news, { kind: 'gone', name }).catch(() => {}),
        onError: this.#host.onError,
      },
      noting,
    );
    this.#keeper?.stop();
    this.#keeper = keeper;
    await noting.call((channel) =>
      channel.consume(this.names.notes, (note) => note && keeper.received(note)),
    );
    const state = await noting.call((channel) => channel.checkQueue(this.names.notes));
    const answers = await this.#desk.ask(this.names.news, state.consumerCount - 1);
    for (const { rooms } of answers) for (const facts of rooms) this.book.learn(facts);
    await noting.call((channel) => channel.checkQueue(this.names.notes));
    return noting;
  }

  /** Begins to fetch. */
  async fetch(): Promise<OpenChannel> {
    const fetching = await openChannel(this.#connection);
    this.#fetching = fetching;
    await fetching.call((channel) => channel.prefetch(this.#host.slots));
    const { consumerTag } = await fetching.call((channel) =>
      channel.consume(this.names.work, (message) => {
        if (!message) return void this.#gone(fetching);
        this.#cameBy.set(message, fetching);
        this.#host.onMessage(this, message);
      }),
    );
    this.#tag = consumerTag;
    return fetching;
  }

  /** Somebody has removed the queue: with its channel closed, everything begins anew. */
  async #gone(fetching: OpenChannel): Promise<void> {
    this.#host.onError(new Error(`the queue "${this.names.work}" was removed`));
    await fetching.close();
  }

  /** How many messages wait, by an answer that is later than all that arrived before. */
  async ready(): Promise<number> {
    if (!this.#fetching) return 0;
    const { messageCount } = await this.#fetching.call((channel) => channel.checkQueue(this.names.work));
    return messageCount;
  }

  async stopFetching(): Promise<void> {
    const tag = this.#tag;
    this.#tag = undefined;
    if (tag !== undefined) await this.#fetching?.call((channel) => channel.cancel(tag));
  }

  leave(): void {
    this.#keeper?.stop();
    this.#attendance.stop();
  }

  /** The end of a round on the ladder, and not of the whole delay. */
  isEarly(message: AmqpMessage): boolean {
    return leftOf(this.names, message) > 0;
  }

  /**
   * It came back from a worker that left, or died, without settling it. Quorum queues count that; of a classic queue it is
   * counted here, by putting it into the queue again.
   */
  isReturned({ fields }: AmqpMessage): boolean {
    return fields.redelivered && this.names.celery !== undefined;
  }

  async sendOn(message: AmqpMessage): Promise<void> {
    await this.#writer.put(lostParcel(message, lossesOf(message)), leftOf(this.names, message));
    this.ackFetched(message);
  }

  ackFetched(message: AmqpMessage): boolean {
    return this.#cameBy.get(message)?.send((channel) => channel.ack(message)) ?? false;
  }

  /** What becomes of a message before it is acknowledged: nothing, or a copy is made. False: it is in hand again, so it is not. */
  async conclude({ raw, losses, tap }: Ended, outcome: Outcome): Promise<boolean> {
    if (outcome.kind === 'aside') {
      await this.#writer.putAside(asideParcel(raw, outcome.reason, randomUUID()));
    }
    if (outcome.kind !== 'again') return true;
    const { message } = outcome;
    const whole = parcel(this.names, message, losses);
    if ('room' in outcome) {
      const atDoor = { raw, message, weight: outcome.room.weight };
      return await this.#park(whole, outcome.room, tap ? undefined : atDoor);
    }
    await this.#writer.put(whole, outcome.after);
    return true;
  }

  async putBackLost(message: AmqpMessage): Promise<void> {
    await this.#writer.putBackLost(message);
  }

  async putBack(message: AmqpMessage): Promise<void> {
    await this.#writer.putBack(message);
  }

  /** The rooms that have messages. */
  async listRooms(): Promise<Room[]> {
    const listed = new Map<string, Room>();
    for (const room of this.book.inTurn) {
      const count = await this.rooms.count(room.name);
      if (count === undefined) this.rooms.forget(room.name);
      if (!count || listed.has(room.resource)) continue;
      const found = room.room(this.names.queue);
      const head = room.facts.isMixed ? await this.taking.peek(room) : undefined;
      listed.set(room.resource, head ? { ...found, weight: weightOf(head) } : found);
    }
    return [...listed.values()];
  }

  async attend(resources: readonly string[]): Promise<void> {
    await this.#attendance.attend(resources);
  }

  /** Of the rooms that others keep, it asks them: one only of several workers is given a room. */
  async orphans(): Promise<Room[]> {
    const keeper = this.#keeper;
    if (!keeper) return [];
    const others = this.book.all.filter((room) => room.isUntended && !keeper.keeps(room.name));
    const orphans = await keeper.orphans();
    const given = await this.#claim(others);
    const rooms = new Map([...orphans, ...given].map((room) => [room.resource, room.room(this.names.queue)]));
    return [...rooms.values()];
  }

  async #claim(rooms: readonly KnownRoom[]): Promise<KnownRoom[]> {
    if (rooms.length === 0) return [];
    for (const room of rooms) room.attended();
    const workers = (await this.rooms.look(this.names.notes))?.consumerCount ?? 1;
    const names = rooms.map(({ name }) => name);
    const answers = await this.#desk.ask(this.names.news, workers, { kind: 'claim', names });
    const given = new Set(answers.flatMap((answer) => answer.given ?? []));
    for (const { name } of rooms) {
      // Whoever removed it has said so, but perhaps not to this worker.
      if (!given.has(name) && !(await this.rooms.isThere(name))) this.rooms.forget(name);
    }
    return rooms.filter(({ name }) => given.has(name));
  }

  /** `hand`: what the worker has in hand of this queue. */
  async onNews(news: News, question: AmqpMessage, hand: Pick<Answer, 'running' | 'waiting'>): Promise<void> {
    switch (news.kind) {
      case 'room':
        return this.#heard(news.room);
      case 'attended':
        return this.book.attended(news.resources);
      case 'gone':
        return this.rooms.forget(news.name);
      case 'ask':
        return await this.#desk.answer(question, { ...hand, rooms: this.book.all.map(({ facts }) => facts) });
      case 'claim':
        return await this.#answerClaim(question, news.names);
    }
  }

  #heard(facts: RoomFacts): void {
    this.#expectTakes(facts.capacity);
    const room = this.book.learn(facts);
    room.filled();
    this.#host.onRoom(room.room(this.names.queue));
  }

  #expectTakes(capacity: number): void {
    this.#taps.prepare(Math.min(capacity, this.#host.slots));
  }

  async #answerClaim(question: AmqpMessage, names: readonly string[]): Promise<void> {
    const given = ((await this.#keeper?.orphans(names)) ?? []).map(({ name }) => name);
    await this.#desk.answer(question, { running: 0, waiting: 0, rooms: [], given });
  }

  async #park(whole: Parcel, parking: Parking, atDoor: AtDoor | undefined): Promise<boolean> {
    const { resource, weight, capacity, countdown } = parking;
    if (this.book.size >= mostRooms && this.book.of(resource).length === 0) {
      // As many rooms as there may be: it comes back by itself, and not together with all the others.
      await this.#writer.put(whole, jittered(countdown));
      return true;
    }
    this.#expectTakes(capacity);
    const room = await this.rooms.park(whole, parking, atDoor);
    if (!room) return false;
    const isNews = room.learn({ name: room.name, at: Date.now(), resource, weight, capacity, countdown });
    // It is safe there by now: what fails here must not have it parked once more.
    await this.#attendance.parked(room, isNews).catch(this.#host.onError);
    return true;
  }
}
