import { systemClock } from '../clock.js';
import { Deadlines } from '../deadlines.js';
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
  readonly #deadlines = new Deadlines(systemClock);
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
  run(step: (client: RedisClient) => Promise<any>): Promise<any> {
    const { client } = this.#connection;
    if (client && !this.#closed) return this.#answered(step(client));
    return this.#runLater(step);
  }

  // biome-ignore lint/suspicious/noExplicitAny: as above
  async #runLater(step: (client: RedisClient) => Promise<any>): Promise<any> {
    this.checkOpen();
    const client = await this.#connection.ready(timeout).catch((error) => {
      throw this.#told(error);
    });
    return await this.#answered(step(client));
  }

  /** Nearly all are answered in time, and all tasks go through here: so there is one timer, and one promise more. */
  #answered<T>(answer: Promise<T>): Promise<T> {
    return inTime(this.#deadlines, answer, timeout, this.#late, this.#told);
  }

  readonly #late = (): Error => this.#told(new Error(`no answer in ${timeout} ms`));

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

  readonly #told = (error: unknown): Error => {
    if (this.#closed) return new ClosedError(this.#user.what);
    if (error instanceof LockkeeperError && !(error instanceof ClosedError)) return error;
    if (!isMisconfiguration(error)) return this.#user.unavailable(error);
    return new ConfigError(`${this.#user.what} is refused: ${(error as Error).message}`, { cause: error });
  };
}
