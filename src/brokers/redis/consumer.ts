import { BrokerUnavailableError, ClosedError } from '../../errors.js';
import type { ConsumeOptions, Consumer, Outcome, Room, RoomRef, Taken, TakeOptions } from '../broker.js';
import { RedisDelivery } from './delivery.js';
import { Fetching, type FetchingHost } from './fetching.js';
import { Hand } from './hand.js';
import { type Handed, messageOf } from './handed.js';
import { Lane, type TakeReply } from './lane.js';
import type { LaneHost } from './lane-host.js';
import { News } from './news.js';
import type { RedisQueue } from './queue.js';
import { setAside } from './set-aside.js';
import { settlement } from './settlement.js';
import { type Batch, Settling } from './settling.js';
import { type Ending, type Got, takeFirst, unknownWorker } from './take-first.js';

export interface ConsumerParts {
  /** The largest message to hand over, in bytes. */
  readonly largest: number;
  readonly onClose: (consumer: RedisConsumer) => void;
}

/**
 * One worker: its slots, and a lane in each of its queues.
 *
 * Where there was nothing to fetch, the queue remembers that this worker is idle, and whoever publishes wakes one idle
 * worker, or hands it the message; so nobody asks an empty queue again and again.
 */
export class RedisConsumer implements Consumer, LaneHost, FetchingHost {
  readonly takesAlone = true;
  readonly lease: number;
  readonly largest: number;
  readonly #options: ConsumeOptions;
  readonly #onClose: (consumer: RedisConsumer) => void;
  readonly #hand: Hand;
  readonly #settling: Settling;
  readonly #fetching: Fetching;
  readonly #lanes: readonly Lane[];
  readonly #news: readonly News[];
  #state: 'fetching' | 'stopped' | 'vanished' | 'closed' = 'fetching';
  #stopping: Promise<void> | undefined;
  #closing: Promise<void> | undefined;

  constructor(queues: readonly RedisQueue[], options: ConsumeOptions, { largest, onClose }: ConsumerParts) {
    this.#options = options;
    this.#onClose = onClose;
    this.lease = options.lease;
    this.largest = largest;
    this.#hand = new Hand(options.concurrency);
    this.#settling = new Settling(this.#hand);
    this.#lanes = queues.map((queue) => new Lane(queue, this));
    this.#news = queues.map((queue) => new News(queue, this));
    const parts = { hand: this.#hand, settling: this.#settling, slots: options.concurrency, host: this };
    this.#fetching = new Fetching(this.#lanes, parts);
  }

  async start(): Promise<void> {
    try {
      await Promise.all([...this.#lanes, ...this.#news].map((part) => part.join()));
    } catch (error) {
      this.vanish();
      await Promise.all(this.#lanes.map((lane) => lane.leave().catch(() => {})));
      throw error;
    }
    this.#fetching.pump();
  }

  get idle(): number {
    return this.#fetching.idle;
  }

  get more(): boolean {
    return this.isFetching && this.#fetching.more;
  }

  get expecting(): boolean {
    return this.isFetching && this.#fetching.expecting;
  }

  /** A beat is answered when a fetch would be. */
  get silence(): number {
    if (!this.isFetching || this.#hand.free <= 0) return 0;
    return performance.now() - Math.min(...this.#lanes.map(({ heardAt }) => heardAt));
  }

  async take(resource: string, { weight, settling }: TakeOptions): Promise<Taken> {
    this.#checkOpen();
    const ending = settling && this.#toEnd(settling.delivery as RedisDelivery, settling.outcome);
    if (settling && !ending) return { kind: 'void' };
    if (!ending && this.#hand.free <= 0) {
      throw new Error('take() without `settling` needs a free slot: call it only while `idle` is above 0');
    }
    if (ending) this.#hand.ending(ending);
    this.#hand.keep(1);
    try {
      const taken = await this.#takeFirst(resource, weight, ending);
      this.#checkThere();
      if (ending) this.#hand.ended(ending);
      return taken;
    } catch (error) {
      if (ending) this.#hand.back(ending);
      throw error;
    } finally {
      this.#hand.unkeep(1);
      this.#fetching.freed();
    }
  }

  async rooms(): Promise<readonly Room[]> {
    this.#checkOpen();
    return (await Promise.all(this.#lanes.map(({ queue }) => queue.rooms()))).flat();
  }

  async vacant(resources: readonly string[]): Promise<readonly string[]> {
    this.#checkOpen();
    let vacant = resources;
    for (const { queue } of this.#lanes) vacant = await queue.vacant(vacant);
    return vacant;
  }

  async attend(rooms: readonly RoomRef[]): Promise<void> {
    this.#checkOpen();
    await Promise.all(
      this.#lanes.map(async ({ queue }) => {
        const resources = rooms.filter((room) => room.queue === queue.name).map(({ resource }) => resource);
        if (resources.length > 0) await queue.attend(resources);
      }),
    );
  }

  async orphans(): Promise<readonly Room[]> {
    this.#checkOpen();
    return (await Promise.all(this.#lanes.map((lane) => lane.orphans()))).flat();
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
   * What a killed process does, for tests: nothing, from now on. Its deliveries are its own until the lease is over.
   *
   * @internal
   */
  vanish(): void {
    if (this.#state === 'closed') return;
    this.#state = 'vanished';
    this.#fetching.stop();
    for (const news of this.#news) news.stop();
    for (const lane of this.#lanes) lane.vanish();
  }

  /** The connection is there again: what was told meanwhile was not heard. */
  returned(): void {
    this.#fetching.resume();
    for (const lane of this.#lanes) lane.returned();
  }

  get isFetching(): boolean {
    return this.#state === 'fetching';
  }

  deliver(lane: Lane, handed: Handed): void {
    const delivery = this.#deliveryOf(lane, handed);
    if (delivery) this.#options.onDelivery(delivery);
  }

  /** The dead hear nothing. */
  tell(batch: Batch, settled: boolean): void {
    if (this.#state === 'vanished') batch.failed(new BrokerUnavailableError('redis'));
    else batch.settled(settled);
  }

  readonly onIdle = (): void => this.#options.onIdle?.();
  readonly look: LaneHost['look'] = (lane, beat) => this.#fetching.look(lane, beat);
  readonly told: LaneHost['told'] = (lane, handed) => this.#fetching.told(lane, handed);

  get hasRoom(): boolean {
    return this.isFetching && this.#hand.free > 0;
  }

  woken(lane: Lane): void {
    if (this.hasRoom) this.#fetching.pump();
    else if (this.#state !== 'vanished') lane.passOn().catch(this.onError);
  }

  handles(lane: Lane): string[] {
    return [...this.#hand.handlesOf(lane), ...this.#fetching.arrivedFrom(lane)];
  }

  get messageIds(): string[] {
    return [...this.#hand.deliveries].map(({ message }) => message.id);
  }

  onRoom(room: Room): void {
    for (const lane of this.#lanes) if (lane.queue.name === room.queue) lane.untendedIn(room.countdown);
    if (this.isFetching) this.#options.onRoom?.(room);
  }

  onRevoked(id: string): void {
    if (this.isFetching || this.#state === 'stopped') this.#options.onRevoked?.(id);
  }

  readonly onError = (error: unknown): void => {
    if (this.#state !== 'vanished' && this.#state !== 'closed') this.#options.onError?.(error);
  };

  /** Nothing when there is no message in the text, which sets it aside. */
  #deliveryOf(lane: Lane, handed: Handed, room?: string): RedisDelivery | undefined {
    try {
      const message = messageOf(handed, this.largest);
      const delivery = new RedisDelivery({ handed, message, lane, room, settle: this.#settle });
      this.#hand.add(delivery);
      return delivery;
    } catch (error) {
      void setAside(lane, handed, { reason: (error as Error).message, onError: this.onError });
      return undefined;
    }
  }

  readonly #settle = (delivery: RedisDelivery, outcome: Outcome): Promise<boolean> => {
    try {
      const ending = this.#toEnd(delivery, outcome);
      if (!ending) return Promise.resolve(false);
      const settled = this.#settling.add(delivery, ending.settlement);
      this.#fetching.freed();
      return settled;
    } catch (error) {
      return Promise.reject(error);
    }
  };

  /** What is to be settled. Nothing when it is not this consumer's any more, or has been settled. */
  #toEnd(delivery: RedisDelivery, outcome: Outcome): Ending | undefined {
    if (delivery.isSettled || !this.#hand.has(delivery)) return undefined;
    this.#checkThere();
    if (delivery.isVoid) {
      delivery.isSettled = true;
      this.#hand.delete(delivery);
      this.#fetching.freed();
      return undefined;
    }
    const ended = settlement(delivery, outcome);
    delivery.isSettled = true;
    return { lane: delivery.lane, deliveries: [delivery], settlement: ended };
  }

  async #takeFirst(resource: string, weight: number, ending: Ending | undefined): Promise<Taken> {
    if (!this.isFetching) {
      const settled = !ending || (await ending.lane.settle([ending.settlement]));
      return { kind: settled ? 'empty' : 'void' };
    }
    const receive = (lane: Lane, reply: TakeReply): Got => {
      if (reply.kind === 'void' && !ending) throw unknownWorker();
      if (reply.kind !== 'taken') return reply;
      const delivery = this.#deliveryOf(lane, reply.handed, resource);
      return delivery && { kind: 'taken', delivery };
    };
    const got = await takeFirst(this.#lanes, { resource, weight, ending, receive, onError: this.onError });
    return got ?? (await this.#takeFirst(resource, weight, undefined));
  }

  /** What was fetched and not handed over goes back: a lane gives back all that is not known of here. */
  async #stop(): Promise<void> {
    if (!this.isFetching) return;
    this.#state = 'stopped';
    this.#fetching.drop();
    await Promise.all(this.#lanes.map((lane) => lane.audit().catch(this.onError)));
  }

  async #close(): Promise<void> {
    const isThere = this.#state !== 'vanished';
    if (isThere) {
      await this.stop();
      await this.#fetching.endAll();
    }
    this.#state = 'closed';
    this.#hand.clear();
    this.#fetching.stop();
    for (const news of this.#news) news.stop();
    // Of a server that does not answer, others will find out that this worker is gone.
    if (isThere) await Promise.all(this.#lanes.map((lane) => lane.leave().catch(() => {})));
    this.#onClose(this);
  }

  #checkOpen(): void {
    this.#checkThere();
    if (this.#state === 'closed') throw new ClosedError('The consumer');
  }

  #checkThere(): void {
    if (this.#state === 'vanished') throw new BrokerUnavailableError('redis');
  }
}
