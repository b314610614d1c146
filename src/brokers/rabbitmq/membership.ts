import type { OpenChannel } from '../../rabbitmq/channel.js';
import { type AmqpMessage, isAcknowledgementTimeout } from '../../rabbitmq/client.js';
import type { RabbitConnection } from '../../rabbitmq/connection.js';
import { stepTimeout } from '../../rabbitmq/link.js';
import type { Lane } from './lane.js';
import { hear, type News } from './news.js';
import { tooLong } from './too-long.js';

export interface MembershipHost {
  /** Whether it is to be set up again after the connection was lost. */
  readonly isFetching: boolean;
  onNews(key: string, news: News, message: AmqpMessage): void;
  /** Everything that was in hand is somebody else's now. */
  onLost(): void;
  /** It has been set up on a new connection. */
  onJoined(): void;
  onError(error: unknown): void;
}

/** The broker is asked for a sign of life this often, in milliseconds. */
const pulse = 2_000;
/** After an error it begins again, this many milliseconds later. */
const errorPause = 500;

/**
 * A worker's lanes on the connection there is: set up when it is made, and once more whenever it was made anew.
 *
 * The server closes a channel for something that was wrong on it. Then the connection is given up with it, so that nothing
 * is half there.
 */
export class Membership {
  readonly #connection: RabbitConnection;
  readonly #lanes: readonly Lane[];
  readonly #news: string;
  readonly #host: MembershipHost;
  #isJoined = false;
  #joining: Promise<void> | undefined;
  #heardAt = performance.now();
  #pulse: NodeJS.Timeout | undefined;
  #retry: NodeJS.Timeout | undefined;

  constructor(
    parts: { connection: RabbitConnection; lanes: readonly Lane[]; news: string },
    host: MembershipHost,
  ) {
    this.#connection = parts.connection;
    this.#lanes = parts.lanes;
    this.#news = parts.news;
    this.#host = host;
  }

  async start(): Promise<void> {
    this.#connection.onLost((error) => this.#lost(error));
    this.#connection.onBlocked((reason) => {
      if (reason !== undefined) this.#host.onError(new Error(`RabbitMQ takes no messages: ${reason}`));
    });
    await this.#join();
    this.#connection.onReady(() => {
      if (!this.#retry) this.#joinAgain();
    });
    // It may have been lost and made again since.
    if (this.#connection.current) this.#joinAgain();
    this.#beat();
  }

  get isJoined(): boolean {
    return this.#isJoined;
  }

  /** Milliseconds since the server was last heard. */
  get silence(): number {
    return performance.now() - this.#heardAt;
  }

  stop(): void {
    clearTimeout(this.#pulse);
    clearTimeout(this.#retry);
  }

  #join(): Promise<void> {
    this.#joining ??= this.#joinNow().finally(() => {
      this.#joining = undefined;
    });
    return this.#joining;
  }

  /** What fails half-way is given up whole: a consumer that was left there would be a second one after the next attempt. */
  async #joinNow(): Promise<void> {
    const connection = await this.#connection.ready(stepTimeout);
    try {
      await this.#joinOn();
    } catch (error) {
      this.#connection.reset(connection, error as Error);
      throw error;
    }
  }

  async #joinOn(): Promise<void> {
    const channels: OpenChannel[] = [];
    for (const lane of this.#lanes) channels.push(await lane.join());
    const keys = this.#lanes.map(({ names }) => names.news);
    channels.push(await hear(this.#connection, this.#news, keys, this.#onNews));
    for (const lane of this.#lanes) channels.push(await lane.fetch());
    const closed = channels.find(({ isOpen }) => !isOpen);
    if (closed) throw closed.failure;
    this.#heardAt = performance.now();
    this.#isJoined = true;
    for (const channel of channels) channel.onClose((error) => this.#channelClosed(error));
    this.#host.onJoined();
  }

  #joinAgain(): void {
    if (!this.#host.isFetching || this.#isJoined) return;
    this.#join().catch((error) => {
      this.#host.onError(error);
      if (!this.#host.isFetching) return;
      this.#retry ??= setTimeout(() => {
        this.#retry = undefined;
        this.#joinAgain();
      }, errorPause).unref();
    });
  }

  #channelClosed(error: Error): void {
    if (!this.#isJoined) return;
    if (isAcknowledgementTimeout(error)) this.#host.onError(tooLong(error));
    const { current } = this.#connection;
    if (current) this.#connection.reset(current, error);
  }

  #lost(error: Error): void {
    this.#isJoined = false;
    for (const lane of this.#lanes) lane.leave();
    this.#host.onLost();
    this.#host.onError(error);
  }

  readonly #onNews = (key: string, news: News, message: AmqpMessage): void => {
    this.#heardAt = performance.now();
    this.#host.onNews(key, news, message);
  };

  #beat(): void {
    this.#pulse = setTimeout(() => void this.#feel(), pulse);
    this.#pulse.unref();
  }

  async #feel(): Promise<void> {
    try {
      if (this.#isJoined) {
        await this.#lanes[0]?.ready();
        this.#heardAt = performance.now();
      }
    } catch (error) {
      this.#host.onError(error);
    }
    if (this.#host.isFetching) this.#beat();
  }
}
