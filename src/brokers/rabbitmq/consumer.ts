import { BrokerUnavailableError, ClosedError } from '../../errors.js';
import { CallChannel } from '../../rabbitmq/channel.js';
import type { AmqpMessage } from '../../rabbitmq/client.js';
import type { RabbitConnection } from '../../rabbitmq/connection.js';
import { type LinkUser, told } from '../../rabbitmq/link.js';
import { Publisher } from '../../rabbitmq/publisher.js';
import type { ConsumeOptions, Consumer, Outcome, Room, RoomRef, Taken, TakeOptions } from '../broker.js';
import { RabbitDelivery } from './delivery.js';
import { Endings } from './endings.js';
import { Fetching, type FetchingHost } from './fetching.js';
import { Intake, type IntakeHost } from './intake.js';
import { Lane, type LaneHost } from './lane.js';
import { Membership, type MembershipHost } from './membership.js';
import type { Names } from './names.js';
import { type News, NewsDesk } from './news.js';
import { takeFirst } from './take-first.js';
import { Topology } from './topology.js';

export interface ConsumerParts {
  /** Its own, with a heartbeat that keeps its lease. */
  readonly connection: RabbitConnection;
  readonly queues: readonly Names[];
  readonly news: string;
  /** The largest message to hand over, in bytes. */
  readonly largest: number;
  readonly user: LinkUser;
  readonly onClose: (consumer: RabbitConsumer) => void;
}

/**
 * One worker: its slots, and a lane in each of its queues, on a connection of its own.
 *
 * What it has in hand is its own for as long as the connection, and the channel it came by, are. When one is lost the server
 * gives it to others at once, counted as a loss; here it is void, and the consumer begins again with the next connection.
 */
export class RabbitConsumer implements Consumer, LaneHost, FetchingHost, IntakeHost, MembershipHost {
  readonly slots: number;
  readonly lease: number;
  readonly #options: ConsumeOptions;
  readonly #parts: ConsumerParts;
  readonly #connection: RabbitConnection;
  readonly #publisher: Publisher;
  readonly #desk: NewsDesk;
  readonly #lanes: readonly Lane[];
  readonly #fetching: Fetching;
  readonly #intake: Intake;
  readonly #endings: Endings;
  readonly #membership: Membership;
  #state: 'fetching' | 'stopped' | 'vanished' | 'closed' = 'fetching';
  #stopping: Promise<void> | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: ConsumeOptions, parts: ConsumerParts) {
    this.#options = options;
    this.#parts = parts;
    this.slots = options.concurrency;
    this.lease = options.lease;
    const { connection, queues, news } = parts;
    this.#connection = connection;
    this.#publisher = new Publisher(connection);
    this.#desk = new NewsDesk(connection, news);
    const calls = new CallChannel(connection);
    this.#lanes = queues.map(
      (names) =>
        new Lane(
          {
            names,
            connection,
            publisher: this.#publisher,
            desk: this.#desk,
            topology: new Topology(calls, names, news),
          },
          this,
        ),
    );
    this.#fetching = new Fetching(this.#lanes, options.concurrency, this);
    this.#intake = new Intake(this);
    this.#endings = new Endings(this.#fetching, () => this.#state === 'vanished');
    this.#membership = new Membership({ connection, news, lanes: this.#lanes }, this);
  }

  async start(): Promise<void> {
    try {
      await this.#membership.start();
    } catch (error) {
      this.#state = 'closed';
      this.#leave();
      await this.#connection.close();
      throw told(this.#parts.user, error, false);
    }
  }

  get isFetching(): boolean {
    return this.#state === 'fetching';
  }

  get idle(): number {
    return this.#membership.isJoined ? this.#fetching.idle : 0;
  }

  get more(): boolean {
    return this.isFetching && this.#fetching.waiting > 0;
  }

  get silence(): number {
    if (!this.isFetching || this.#fetching.free <= 0) return 0;
    return this.#membership.silence;
  }

  async take(resource: string, { weight, settling }: TakeOptions): Promise<Taken> {
    this.#checkOpen();
    const delivery = settling?.delivery as RabbitDelivery | undefined;
    if (delivery && !this.#endings.begin(delivery)) return { kind: 'void' };
    if (!delivery && this.#fetching.free <= 0) {
      throw new Error('take() without `settling` needs a free slot: call it only while `idle` is above 0');
    }
    this.#fetching.keep();
    try {
      if (!delivery || !settling) return await this.#take(resource, weight);
      const goesOn = delivery.room === resource && this.isFetching;
      if (!(await this.#endings.end(delivery, settling.outcome, { shut: !goesOn }))) return { kind: 'void' };
      return await this.#take(resource, weight, goesOn ? delivery : undefined);
    } catch (error) {
      throw told(this.#parts.user, error, this.#state === 'closed');
    } finally {
      this.#fetching.unkeep();
    }
  }

  async rooms(): Promise<readonly Room[]> {
    return await this.#ofAll((lane) => lane.listRooms());
  }

  async attend(rooms: readonly RoomRef[]): Promise<void> {
    this.#checkOpen();
    for (const lane of this.#lanes) {
      const resources = rooms
        .filter(({ queue }) => queue === lane.names.queue)
        .map(({ resource }) => resource);
      if (resources.length > 0) await this.#tell(() => lane.attend(resources));
    }
  }

  async orphans(): Promise<readonly Room[]> {
    return await this.#ofAll((lane) => lane.orphans());
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /**
   * What a process does that is frozen, and killed before its lease is over, for tests: nothing, from now on.
   *
   * @internal
   */
  vanish(): void {
    if (this.#state === 'closed') return;
    this.#state = 'vanished';
    this.#leave();
    setTimeout(() => {
      const { current } = this.#connection;
      if (current) this.#connection.reset(current, new Error('vanished'));
      void this.#connection.close();
    }, this.lease / 2).unref();
  }

  onMessage(lane: Lane, message: AmqpMessage): void {
    if (this.#state === 'vanished') return;
    if (this.#intake.accepts(lane, message)) this.#fetching.arrived(lane, message);
  }

  deliver(lane: Lane, raw: AmqpMessage): void {
    const message = this.#intake.read(lane, raw);
    if (!message) return;
    const delivery = new RabbitDelivery({ raw, message, lane, settle: this.#settle });
    this.#fetching.add(delivery);
    this.#options.onDelivery(delivery);
  }

  get largest(): number {
    return this.#parts.largest;
  }

  onSetApart(): void {
    this.#fetching.acknowledged();
  }

  onIdle(): void {
    this.#options.onIdle?.();
  }

  onRoom(room: Room): void {
    if (this.isFetching) this.#options.onRoom?.(room);
  }

  readonly onError = (error: unknown): void => {
    if (this.#state !== 'vanished' && this.#state !== 'closed') {
      this.#options.onError?.(told(this.#parts.user, error, false));
    }
  };

  readonly #settle = async (delivery: RabbitDelivery, outcome: Outcome): Promise<boolean> => {
    if (!this.#endings.begin(delivery)) return false;
    return await this.#tell(() => this.#endings.end(delivery, outcome, { shut: true }));
  };

  async #take(resource: string, weight: number, before?: RabbitDelivery): Promise<Taken> {
    if (!this.isFetching) {
      if (before?.tap) await before.lane.taking.letGo(before.tap);
      return { kind: 'empty' };
    }
    const first = await takeFirst(this.#lanes, { resource, weight, before });
    if (!first) return { kind: 'empty' };
    if ('weight' in first) return { kind: 'other', weight: first.weight };
    if (!this.isFetching && this.#state !== 'stopped') return { kind: 'empty' };
    const { lane, raw, message, tap } = first;
    const taken = { room: resource, tap };
    const delivery = new RabbitDelivery({ raw, message, lane, taken, settle: this.#settle });
    this.#fetching.add(delivery);
    return { kind: 'taken', delivery };
  }

  onJoined(): void {
    this.#fetching.acknowledged();
  }

  onLost(): void {
    this.#fetching.lost();
  }

  onNews(key: string, news: News, message: AmqpMessage): void {
    if (this.#state === 'vanished' || this.#state === 'closed') return;
    if (news.kind === 'revoked') this.#options.onRevoked?.(news.id);
    const lane = this.#lanes.find(({ names }) => names.news === key);
    if (!lane) return;
    const hand = { running: this.#fetching.runningOf(lane), waiting: this.#fetching.waitingOf(lane) };
    void this.#intake.quietly(lane.onNews(news, message, hand));
  }

  async #stop(): Promise<void> {
    if (!this.isFetching) return;
    this.#state = 'stopped';
    if (!this.#membership.isJoined) return;
    await Promise.all(this.#lanes.map((lane) => lane.stopFetching().catch(this.onError)));
    const waiting = this.#fetching.takeWaiting();
    await Promise.all(waiting.map(({ lane, message }) => this.#intake.putBack(lane, message)));
    // What came before the server knew that no more is to come: cut short, it would be in the queue twice.
    await this.#intake.over();
  }

  async #close(): Promise<void> {
    if (this.#state === 'vanished') return this.#parts.onClose(this);
    await this.stop();
    await this.#endings.giveBack();
    this.#state = 'closed';
    this.#leave();
    this.#fetching.lost();
    await this.#connection.close();
    this.#parts.onClose(this);
  }

  #leave(): void {
    this.#membership.stop();
    this.#fetching.stop();
    for (const lane of this.#lanes) lane.leave();
  }

  async #ofAll(list: (lane: Lane) => Promise<Room[]>): Promise<Room[]> {
    this.#checkOpen();
    return await this.#tell(async () => (await Promise.all(this.#lanes.map(list))).flat());
  }

  async #tell<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw told(this.#parts.user, error, this.#state === 'closed');
    }
  }

  #checkOpen(): void {
    if (this.#state === 'vanished') throw new BrokerUnavailableError('rabbitmq');
    if (this.#state === 'closed') throw new ClosedError('The consumer');
  }
}
