import { randomBytes } from 'node:crypto';
import type { Unsubscribe } from '../../events.js';
import type { RedisConnection } from '../../redis/connection.js';
import { RedisSubscriber } from '../../redis/subscriber.js';
import { Listeners } from '../listeners.js';

/** How long whoever stands in line for the first time waits until it can be woken, in milliseconds. */
const patience = 500;

/**
 * Hears from the server whose turn it is: one channel for all claims of this side, on which the scripts publish their ids.
 *
 * What is published while nobody hears is lost. So the first to stand in line waits until this side hears; when hearing
 * begins again after a loss, everybody is called; and whoever waits asks again by itself from time to time.
 */
export class Wakes {
  readonly channel: string;
  readonly #connection: RedisConnection;
  readonly #listeners = new Listeners();
  #subscriber: RedisSubscriber | undefined;
  #begun: Promise<void> | undefined;
  #over = () => {};
  /** Whether it need not be waited for any more. */
  ready = false;

  constructor(connection: RedisConnection, prefix: string) {
    this.#connection = connection;
    this.channel = `${prefix}:wake:${randomBytes(9).toString('base64url')}`;
  }

  add(id: string, listener: () => void): Unsubscribe {
    void this.begin();
    return this.#listeners.add(id, listener);
  }

  /** Resolves when this side hears, or will not soon. */
  begin(): Promise<void> {
    this.#begun ??= new Promise((resolve) => {
      const timer = setTimeout(() => this.#over(), patience);
      this.#over = () => {
        clearTimeout(timer);
        this.ready = true;
        resolve();
      };
      this.#subscriber = new RedisSubscriber(this.#connection);
      this.#subscriber.subscribe(this.channel, {
        onMessage: (id) => this.#listeners.call(id),
        onHearing: () => {
          this.#over();
          this.#listeners.callAll();
        },
      });
    });
    return this.#begun;
  }

  async close(): Promise<void> {
    this.#over();
    await this.#subscriber?.close();
  }
}
