import { type OpenChannel, openChannel } from '../../rabbitmq/channel.js';
import {
  type AmqpMessage,
  isAcknowledgementTimeout,
  type QueueState,
  replyCodeOf,
} from '../../rabbitmq/client.js';
import type { RabbitConnection } from '../../rabbitmq/connection.js';
import { tooLong } from './too-long.js';

/** How long a message that is there may take to arrive before it is asked for once more, in milliseconds. */
const arrival = 20;

/** How long a message is waited for before the server is asked whether there is one, in milliseconds. */
const soon = 3;

/** As many channels are opened before anybody asks for them. */
const mostReady = 16;

/** Channels for taps. One that is not in use is kept for the next. */
export class Taps {
  readonly #connection: RabbitConnection;
  readonly #onError: (error: unknown) => void;
  readonly #idle: OpenChannel[] = [];
  /** Those that are open, or being opened. */
  #count = 0;

  /** `onError`: told when the server has closed one, because a message was in hand for too long. */
  constructor(connection: RabbitConnection, onError: (error: unknown) => void) {
    this.#connection = connection;
    this.#onError = onError;
  }

  /** Nothing when there is no such queue. */
  async open(name: string): Promise<Tap | undefined> {
    const opened = await this.#channel();
    try {
      return await Tap.on(opened, name, () => this.#idle.push(opened));
    } catch (error) {
      if (replyCodeOf(error) === 404) return undefined;
      void opened.close();
      throw error;
    }
  }

  /** So many are about to be needed: then a permit need not wait for its channel. */
  prepare(count: number): void {
    while (this.#count < Math.min(count, mostReady)) {
      this.#open().then(
        (opened) => this.#idle.push(opened),
        () => {},
      );
    }
  }

  async #channel(): Promise<OpenChannel> {
    for (let idle = this.#idle.pop(); idle; idle = this.#idle.pop()) if (idle.isOpen) return idle;
    return await this.#open();
  }

  async #open(): Promise<OpenChannel> {
    this.#count++;
    const opened = await openChannel(this.#connection).catch((error) => {
      this.#count--;
      throw error;
    });
    opened.onClose((error) => this.#closed(error));
    await opened.call((channel) => channel.prefetch(1));
    return opened;
  }

  #closed(error: Error): void {
    this.#count--;
    if (isAcknowledgementTimeout(error)) this.#onError(tooLong(error));
  }
}

/**
 * A consumer of a room's queue that is handed one message at a time: the next when the one before was acknowledged.
 *
 * It is a consumer, and does not merely get messages, for the sake of the room: a queue is removed only if it has neither
 * messages nor consumers, and RabbitMQ does not count a message that somebody has in hand. So whoever holds one is a
 * consumer from before it came until it is acknowledged.
 */
export class Tap {
  readonly name: string;
  readonly #opened: OpenChannel;
  readonly #onShut: () => void;
  #tag: string | undefined;
  #next: AmqpMessage | undefined;
  #onArrival: (() => void) | undefined;
  #checking: Promise<QueueState> | undefined;

  private constructor(opened: OpenChannel, name: string, onShut: () => void) {
    this.#opened = opened;
    this.name = name;
    this.#onShut = onShut;
  }

  static async on(opened: OpenChannel, name: string, onShut: () => void): Promise<Tap> {
    const tap = new Tap(opened, name, onShut);
    const { consumerTag } = await opened.call((channel) =>
      channel.consume(name, (message) => tap.#arrived(message)),
    );
    tap.#tag = consumerTag;
    return tap;
  }

  get isOpen(): boolean {
    return this.#opened.isOpen;
  }

  /**
   * The message that comes first. When there is none the tap is closed, and with it its channel: then the server takes back
   * in one step what came at the last moment, and there is no time at which it is in hand without a consumer. (It is marked
   * as redelivered, so that it counts as lost once more than it was.)
   */
  async next(): Promise<AmqpMessage | undefined> {
    // Mostly it is on its way, and the server has no need to be asked.
    if (!this.#next) await this.#arrival(soon);
    for (let found = 0; !this.#next && found < 2; ) {
      // What was on its way when the first answer was written is there before the second.
      this.#checking = this.#opened.call((channel) => channel.checkQueue(this.name));
      const state = await this.#orArrival(this.#checking);
      if (state?.messageCount === 0) found++;
      else if (state) await this.#arrival(arrival);
    }
    const next = this.#next;
    this.#next = undefined;
    if (!next) await this.drop();
    return next;
  }

  /** Ends a message. The next comes by itself, unless the tap is shut in the same breath. False: it is not ours any more. */
  async ack(message: AmqpMessage, { shut }: { shut: boolean }): Promise<boolean> {
    // A question that is on its way would hold the end of the consumer up, and the next message would come before it.
    await this.#checking?.catch(() => {});
    // What is sent first is done first: nothing more comes.
    if (shut) void this.#cancel();
    return this.#opened.send((channel) => channel.ack(message));
  }

  /** Closes its channel, so that what it holds goes back to its room. */
  async drop(): Promise<void> {
    this.#tag = undefined;
    await this.#opened.close();
  }

  async #cancel(): Promise<void> {
    const tag = this.#tag;
    if (tag === undefined) return;
    this.#tag = undefined;
    try {
      await this.#opened.call((channel) => channel.cancel(tag));
      this.#onShut();
    } catch {
      // The channel is closed, or will be: what it held goes back.
      void this.#opened.close();
    }
  }

  #arrived(message: AmqpMessage | null): void {
    if (!message) return;
    this.#next = message;
    this.#onArrival?.();
  }

  /** The answer, or nothing when a message comes before it. */
  #orArrival(checking: Promise<QueueState>): Promise<QueueState | undefined> {
    return new Promise((resolve, reject) => {
      this.#onArrival = () => resolve(undefined);
      checking.then(resolve, reject);
    });
  }

  #arrival(most: number): Promise<void> {
    if (this.#next) return Promise.resolve();
    return new Promise((resolve) => {
      const over = () => {
        clearTimeout(timer);
        this.#onArrival = undefined;
        resolve();
      };
      const timer = setTimeout(over, most);
      this.#onArrival = over;
    });
  }
}
