import type { AmqpMessage } from '../../rabbitmq/client.js';
import type { RabbitDelivery } from './delivery.js';
import type { Lane } from './lane.js';

export interface FetchingHost {
  readonly isFetching: boolean;
  /** There is a slot for it. */
  deliver(lane: Lane, message: AmqpMessage): void;
  onIdle(): void;
  onError(error: unknown): void;
}

/** Nothing has come for so many milliseconds: time to ask whether there is anything. */
const calm = 5;
/** It was asked, and did not answer: it is asked again so many milliseconds later. */
const errorPause = 500;

/**
 * The slots of a consumer, and what waits for one.
 *
 * RabbitMQ hands over as many messages as there are slots. A slot that was used to take a message from a room is not free for
 * what comes meanwhile: that waits here, unstarted, and goes back to the queue when the worker stops.
 *
 * A slot is idle when the server has said that the queues have nothing. It is asked only when nothing has come for a moment,
 * and twice: what it had sent before its first answer is here before the second.
 */
export class Fetching {
  readonly #slots: number;
  readonly #lanes: readonly Lane[];
  readonly #host: FetchingHost;
  readonly #hand = new Set<RabbitDelivery>();
  readonly #waiting = new Map<Lane, AmqpMessage[]>();
  #kept = 0;
  #lastLane = 0;
  #quiet = false;
  /** Somebody was told that no slot is idle, or a slot was freed: `onIdle` is to be called when one is idle. */
  #awaited = true;
  #timer: NodeJS.Timeout | undefined;
  /** Grows with whatever may change whether the queues have something. */
  #changes = 0;
  #isAsking = false;

  constructor(lanes: readonly Lane[], slots: number, host: FetchingHost) {
    this.#lanes = lanes;
    this.#slots = slots;
    this.#host = host;
    for (const lane of lanes) this.#waiting.set(lane, []);
  }

  get free(): number {
    return this.#slots - this.#hand.size - this.#kept;
  }

  get idle(): number {
    if (!this.#isIdle) this.#awaited = true;
    return this.#isIdle ? this.free : 0;
  }

  get deliveries(): readonly RabbitDelivery[] {
    return [...this.#hand];
  }

  has(delivery: RabbitDelivery): boolean {
    return this.#hand.has(delivery);
  }

  add(delivery: RabbitDelivery): void {
    this.#hand.add(delivery);
  }

  /** It uses no slot any more. */
  delete(delivery: RabbitDelivery): void {
    this.#hand.delete(delivery);
    this.freed();
  }

  /** Keeps a slot for what is being taken. */
  keep(): void {
    this.#kept++;
  }

  unkeep(): void {
    this.#kept--;
    this.freed();
  }

  /** The server may have something for a slot now. */
  acknowledged(): void {
    this.#quiet = false;
    this.#changes++;
    this.#askLater();
  }

  freed(): void {
    this.#awaited = true;
    this.#pumpLater();
  }

  arrived(lane: Lane, message: AmqpMessage): void {
    this.#changes++;
    this.#waiting.get(lane)?.push(message);
    this.pump();
  }

  /** Messages that wait for a slot. */
  get waiting(): number {
    return this.#lanes.reduce((total, lane) => total + this.waitingOf(lane), 0);
  }

  waitingOf(lane: Lane): number {
    return this.#waiting.get(lane)?.length ?? 0;
  }

  runningOf(lane: Lane): number {
    return this.deliveries.filter((delivery) => delivery.lane === lane).length;
  }

  /** What has come and was not handed over. */
  takeWaiting(): { lane: Lane; message: AmqpMessage }[] {
    const all = [...this.#waiting].flatMap(([lane, messages]) =>
      messages.map((message) => ({ lane, message })),
    );
    for (const messages of this.#waiting.values()) messages.length = 0;
    return all;
  }

  /** The connection is lost, and with it all that was on it. */
  lost(): void {
    this.#quiet = false;
    this.#changes++;
    this.takeWaiting();
    this.#hand.clear();
    this.#awaited = true;
  }

  pump(): void {
    while (this.#host.isFetching && this.free > 0) {
      const next = this.#nextWaiting();
      if (!next) break;
      this.#host.deliver(next.lane, next.message);
    }
    if (this.#host.isFetching && this.free > 0) this.#seeIdle();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #pumpScheduled = false;

  /** Later than whatever caused it, and once for all of this turn. */
  #pumpLater(): void {
    if (this.#pumpScheduled) return;
    this.#pumpScheduled = true;
    setImmediate(() => {
      this.#pumpScheduled = false;
      this.pump();
    });
  }

  get #isIdle(): boolean {
    if (!this.#host.isFetching || !this.#quiet || this.free <= 0) return false;
    return [...this.#waiting.values()].every((messages) => messages.length === 0);
  }

  #seeIdle(): void {
    if (!this.#quiet) {
      this.#askLater();
    } else if (this.#awaited && this.#isIdle) {
      this.#awaited = false;
      this.#host.onIdle();
    }
  }

  #askLater(pause = calm): void {
    if (this.#timer || this.#isAsking) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.#ask();
    }, pause);
  }

  async #ask(): Promise<void> {
    if (!this.#host.isFetching || this.free <= 0) return;
    // When they are open again, it is told by `acknowledged`.
    if (!this.#lanes.every(({ isOpen }) => isOpen)) return;
    const changes = this.#changes;
    this.#isAsking = true;
    let failure: unknown;
    try {
      this.#quiet = (await this.#hasNothing()) && changes === this.#changes;
    } catch (error) {
      failure = error;
    }
    this.#isAsking = false;
    if (failure) {
      this.#host.onError(failure);
      this.#askLater(errorPause);
    } else if (this.#quiet) this.pump();
    else this.#askLater();
  }

  async #hasNothing(): Promise<boolean> {
    for (let round = 0; round < 2; round++) {
      const counts = await Promise.all(this.#lanes.map((lane) => lane.ready()));
      if (counts.some((count) => count > 0)) return false;
    }
    return true;
  }

  #nextWaiting(): { lane: Lane; message: AmqpMessage } | undefined {
    for (let i = 1; i <= this.#lanes.length; i++) {
      const at = (this.#lastLane + i) % this.#lanes.length;
      const lane = this.#lanes[at] as Lane;
      const message = this.#waiting.get(lane)?.shift();
      if (!message) continue;
      this.#lastLane = at;
      return { lane, message };
    }
    return undefined;
  }
}
