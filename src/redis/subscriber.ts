import type { Unsubscribe } from '../events.js';
import type { RedisClient } from './client.js';
import { RedisConnection } from './connection.js';

export interface Listener {
  /** What was published. */
  onMessage(message: string): void;
  /** From now on messages are heard. At first, and after every loss: what was published before may have been missed. */
  onHearing(): void;
}

/** Milliseconds. */
const pingEvery = 10_000;
const retryAfter = 250;

/**
 * Channels of one Redis, heard over one connection of their own; a cluster's client has one inside.
 *
 * What is published while the connection is lost is heard by nobody, so whoever listens is told when hearing begins
 * again, and looks for itself. A connection that died in silence is found out by a ping. A cluster's client changes its
 * inner connection without a word: there, whoever listens must not rely on being told.
 */
export class RedisSubscriber {
  readonly #connection: RedisConnection;
  readonly #owned: boolean;
  readonly #channels = new Map<string, Listener>();
  #client: RedisClient | undefined;
  #pings: NodeJS.Timeout | undefined;
  #again: NodeJS.Timeout | undefined;
  #closed = false;

  /** `commands`: the connection that commands are sent by. */
  constructor(commands: RedisConnection) {
    const { source } = commands;
    this.#owned = !source.cluster;
    this.#connection = this.#owned
      ? new RedisConnection(source, { open: source.another, owned: true })
      : commands;
    this.#connection.onReady(() => this.#hear([...this.#channels.keys()]));
  }

  /** Listens from now on, for as long as it takes to be heard and until it is told to stop. One listener a channel. */
  subscribe(channel: string, listener: Listener): Unsubscribe {
    this.#channels.set(channel, listener);
    if (this.#connection.client) this.#hear([channel]);
    else this.#connection.ready(retryAfter).catch(() => {});
    return () => {
      if (this.#channels.get(channel) !== listener) return;
      this.#channels.delete(channel);
      this.#connection.client?.unsubscribe(channel).catch(() => {});
    };
  }

  #hear(channels: readonly string[]): void {
    const { client } = this.#connection;
    if (this.#closed || !client || channels.length === 0) return;
    if (this.#client !== client) this.#listen(client);
    client.subscribe(...channels).then(
      () => {
        for (const channel of channels) this.#channels.get(channel)?.onHearing();
      },
      () => this.#hearLater(),
    );
  }

  #listen(client: RedisClient): void {
    this.#client = client;
    client.on('message', this.#onMessage);
    if (!this.#owned) return;
    this.#pings = setInterval(() => void client.call('ping', []).catch(() => {}), pingEvery);
    this.#pings.unref();
  }

  readonly #onMessage = (channel: string, message: string): void => {
    this.#channels.get(channel)?.onMessage(message);
  };

  #hearLater(): void {
    if (this.#closed) return;
    this.#again ??= setTimeout(() => {
      this.#again = undefined;
      this.#connection.ready(retryAfter).then(
        () => this.#hear([...this.#channels.keys()]),
        () => this.#hearLater(),
      );
    }, retryAfter).unref();
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#pings);
    clearTimeout(this.#again);
    this.#client?.off('message', this.#onMessage);
    if (this.#owned) return await this.#connection.close();
    const channels = [...this.#channels.keys()];
    if (channels.length > 0) await this.#connection.client?.unsubscribe(...channels).catch(() => {});
  }
}
