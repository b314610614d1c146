import { ClosedError } from '../errors.js';
import type { RedisClient } from './client.js';
import { warnOfEviction } from './eviction.js';
import type { RedisSource } from './open.js';

interface Waiter {
  resolve(client: RedisClient): void;
  reject(error: Error): void;
}

/**
 * One client, opened when it is first asked for.
 *
 * ioredis connects again by itself. A caller waits for that as long as its own deadline allows, but not when the last
 * attempt has failed: then it is told so at once, with the reason.
 */
export class RedisConnection {
  readonly source: RedisSource;
  readonly #open: () => Promise<RedisClient>;
  readonly #owned: boolean;
  readonly #waiting = new Set<Waiter>();
  readonly #readyListeners = new Set<() => void>();
  #client: RedisClient | undefined;
  #opening: Promise<void> | undefined;
  /** Why the last attempt to connect has failed, until one succeeds. */
  #failure: Error | undefined;
  #closed = false;

  /** `of`: by default the client that commands are sent by. */
  constructor(
    source: RedisSource,
    of: { open: () => Promise<RedisClient>; owned: boolean } = { open: source.open, owned: source.owned },
  ) {
    this.source = source;
    this.#open = of.open;
    this.#owned = of.owned;
  }

  /** The client, if commands can be sent now. */
  get client(): RedisClient | undefined {
    return this.#client && this.#isReady(this.#client) ? this.#client : undefined;
  }

  /** A client that commands can be sent by. Rejects with the reason when there is none within `timeout` milliseconds. */
  ready(timeout: number): Promise<RedisClient> {
    if (this.#closed) return Promise.reject(new ClosedError('The Redis connection'));
    const { client } = this;
    if (client) return Promise.resolve(client);
    if (this.#failure) return Promise.reject(this.#failure);
    const wait = this.#wait(timeout);
    this.#opening ??= this.#begin();
    return wait;
  }

  /** Calls whenever commands can be sent again. */
  onReady(listener: () => void): () => void {
    this.#readyListeners.add(listener);
    return () => this.#readyListeners.delete(listener);
  }

  #wait(timeout: number): Promise<RedisClient> {
    return new Promise((resolve, reject) => {
      const over = () => {
        clearTimeout(timer);
        this.#waiting.delete(waiter);
      };
      const waiter: Waiter = {
        resolve: (client) => {
          over();
          resolve(client);
        },
        reject: (error) => {
          over();
          reject(error);
        },
      };
      const timer = setTimeout(() => waiter.reject(new Error(`no connection within ${timeout} ms`)), timeout);
      this.#waiting.add(waiter);
    });
  }

  async #begin(): Promise<void> {
    try {
      const client = await this.#open();
      if (this.#closed) return this.#end(client);
      this.#client = client;
      this.#listen(client);
      if (client.status === 'wait') client.connect().catch(() => {});
      else if (client.status === 'end') this.#onEnd();
      else if (this.#isReady(client)) this.#onReady();
    } catch (error) {
      this.#opening = undefined;
      this.#rejectAll(error as Error);
    }
  }

  #listen(client: RedisClient): void {
    client.on('ready', this.#onReady);
    client.on('error', this.#onError);
    client.on('end', this.#onEnd);
  }

  #isReady({ status }: RedisClient): boolean {
    return status === 'ready';
  }

  readonly #onReady = (): void => {
    const client = this.#client as RedisClient;
    this.#failure = undefined;
    warnOfEviction(client, this.source.name);
    for (const { resolve } of this.#waiting) resolve(client);
    for (const listener of this.#readyListeners) listener();
  };

  /** While it is connected, an error only announces that the connection is being lost: the next attempt may succeed. */
  readonly #onError = (error: Error): void => {
    if (this.#client && this.#isReady(this.#client)) return;
    this.#failure = error;
    this.#rejectAll(error);
  };

  readonly #onEnd = (): void => this.#onError(new Error('the client has been closed'));

  #rejectAll(error: Error): void {
    for (const { reject } of this.#waiting) reject(error);
  }

  /** Closes the client, unless it was handed over. Whoever waits is told. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#rejectAll(new ClosedError('The Redis connection'));
    if (this.#client) this.#end(this.#client);
  }

  #end(client: RedisClient): void {
    client.off('ready', this.#onReady);
    client.off('end', this.#onEnd);
    if (!this.#owned) {
      client.off('error', this.#onError);
      return;
    }
    // Our error listener stays: what ioredis reports while it is closing is nobody's business any more.
    client.disconnect();
  }
}
