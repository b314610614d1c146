import { systemClock } from '../clock.js';
import { ClosedError, ConfigError, LockkeeperError } from '../errors.js';
import { inTime } from '../in-time.js';
import { Channels } from './channels.js';
import { isMisconfiguration, type RedisClient } from './client.js';
import { RedisConnection } from './connection.js';
import type { RedisSource } from './open.js';
import { RedisSubscriber } from './subscriber.js';

/** Who uses a link, and how it tells that Redis did not answer. */
export interface LinkUser {
  /** For errors: `The redis broker`. */
  readonly what: string;
  readonly unavailable: (cause: unknown) => LockkeeperError;
}

/** How long a step may take, in milliseconds. */
const timeout = 5_000;

/**
 * The two connections of a broker or a result store: one for all steps, which keeps their order, and one to be told by.
 *
 * A step fails in one of three ways: this end is closed, something is set up wrongly, or it is not known whether it took
 * effect.
 */
export class Link {
  readonly cluster: boolean;
  readonly channels: Channels;
  readonly #user: LinkUser;
  readonly #connection: RedisConnection;
  readonly #subscriber: RedisSubscriber;
  #closed = false;

  constructor(source: RedisSource, user: LinkUser) {
    this.cluster = source.cluster;
    this.#user = user;
    this.#connection = new RedisConnection(source);
    this.#subscriber = new RedisSubscriber(this.#connection);
    this.channels = new Channels(this.#subscriber);
  }

  /** One step. It is sent before this returns if there is a connection. */
  // biome-ignore lint/suspicious/noExplicitAny: each step has its own reply
  async run(step: (client: RedisClient) => Promise<any>): Promise<any> {
    this.checkOpen();
    try {
      const client = this.#connection.client ?? (await this.#connection.ready(timeout));
      return await inTime(systemClock, step(client), timeout, () => new Error(`no answer in ${timeout} ms`));
    } catch (error) {
      throw this.#told(error);
    }
  }

  /** Resolves when something that was begun on the subscription has begun. */
  async heard(begun: Promise<void>): Promise<void> {
    const late = () => this.#user.unavailable(new Error(`nothing is heard of it in ${timeout} ms`));
    await inTime(systemClock, begun, timeout, late);
  }

  /** Calls whenever steps can be sent again. */
  onReady(listener: () => void): () => void {
    return this.#connection.onReady(listener);
  }

  checkOpen(): void {
    if (this.#closed) throw new ClosedError(this.#user.what);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#subscriber.close();
    await this.#connection.close();
  }

  #told(error: unknown): Error {
    if (this.#closed) return new ClosedError(this.#user.what);
    if (error instanceof LockkeeperError && !(error instanceof ClosedError)) return error;
    if (!isMisconfiguration(error)) return this.#user.unavailable(error);
    return new ConfigError(`${this.#user.what} is refused: ${(error as Error).message}`, { cause: error });
  }
}
