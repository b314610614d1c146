import { randomBytes } from 'node:crypto';
import { type OpenChannel, openConfirmChannel } from './channel.js';
import type { AmqpConfirmChannel, AmqpMessage, AmqpProperties } from './client.js';
import type { RabbitConnection } from './connection.js';
import { stepTimeout } from './link.js';

export interface Outgoing {
  /** Default: the default exchange, whose keys are the names of queues. */
  readonly exchange?: string;
  readonly key: string;
  readonly body: Buffer;
  readonly properties?: Omit<AmqpProperties, 'mandatory' | 'messageId'>;
}

/** The server has the message, in as many places as its queue is kept in; or no queue takes what has this key. */
export type Published = 'kept' | 'returned';

/** So many bytes the system takes from a process at once, however slowly the server reads. */
const socketTakes = 8_192;

interface Pending {
  resolve(published: Published): void;
  reject(error: unknown): void;
  isReturned: boolean;
}

/**
 * Publishes with confirms, and every message as mandatory: what the server says it has is in a queue.
 *
 * Messages go out in the order of the calls, as many at a time as there are: nobody waits for the confirm of the one before.
 * If the connection is lost first, it is not known whether the server has the message: publishing it again may make two.
 */
export class Publisher {
  readonly #connection: RabbitConnection;
  readonly #timeout: number;
  /** Names messages for their returns, which come with nothing else to know them by. */
  readonly #name = randomBytes(9).toString('base64url');
  readonly #pending = new Map<string, Pending>();
  /** Bytes that were sent, and may not have arrived. */
  #unconfirmed = 0;
  #count = 0;
  #opening: Promise<OpenChannel<AmqpConfirmChannel>> | undefined;
  #opened: OpenChannel<AmqpConfirmChannel> | undefined;

  /** `timeout`: milliseconds for a confirm, default 5,000. */
  constructor(connection: RabbitConnection, timeout = stepTimeout) {
    this.#connection = connection;
    this.#timeout = timeout;
  }

  /**
   * Whether all that was published has left for the server, or does so in this turn of the event loop: the system has it
   * then, and no longer this process.
   */
  get hasSent(): boolean {
    const { blocked } = this.#connection;
    return this.#opened?.isOpen === true && blocked === undefined && this.#unconfirmed <= socketTakes;
  }

  /** Rejects when it is not known that the server has it. It is sent before this returns if there is a connection. */
  publish(message: Outgoing): Promise<Published> {
    if (this.#opened?.isOpen) return this.#send(this.#opened, message);
    return this.#open().then((opened) => this.#send(opened, message));
  }

  /** Opens its channel, so that the first message does not wait for that. */
  async open(): Promise<void> {
    await this.#open();
  }

  async close(): Promise<void> {
    const opened = await this.#opening?.catch(() => undefined);
    await opened?.close();
  }

  #send(opened: OpenChannel<AmqpConfirmChannel>, message: Outgoing): Promise<Published> {
    const { exchange = '', key, body, properties } = message;
    const messageId = `${this.#name}.${(this.#count++).toString(36)}`;
    return new Promise((resolve, reject) => {
      const pending = this.#expect(messageId, body.length, { resolve, reject, isReturned: false });
      const isSent = opened.send((channel) =>
        channel.publish(exchange, key, body, { ...properties, mandatory: true, messageId }, (error) =>
          this.#confirmed(pending, error),
        ),
      );
      if (!isSent) pending.reject(opened.failure ?? new Error('the channel was closed'));
    });
  }

  /** Counts it until it is settled, one way or another. */
  #expect(messageId: string, bytes: number, { resolve, reject, isReturned }: Pending): Pending {
    const late = () => {
      const { blocked } = this.#connection;
      const why = blocked === undefined ? '' : `: the server takes no messages, because ${blocked}`;
      pending.reject(new Error(`no confirm in ${this.#timeout} ms${why}`));
    };
    const timer = setTimeout(late, this.#timeout);
    const over = () => {
      clearTimeout(timer);
      if (this.#pending.delete(messageId)) this.#unconfirmed -= bytes;
    };
    const pending: Pending = {
      isReturned,
      resolve: (published) => {
        over();
        resolve(published);
      },
      reject: (error) => {
        over();
        reject(error);
      },
    };
    this.#pending.set(messageId, pending);
    this.#unconfirmed += bytes;
    return pending;
  }

  /** The server returns a message before it confirms it. */
  #confirmed(pending: Pending, error: unknown): void {
    if (error) pending.reject(new Error('the server refused the message', { cause: error }));
    else pending.resolve(pending.isReturned ? 'returned' : 'kept');
  }

  #open(): Promise<OpenChannel<AmqpConfirmChannel>> {
    this.#opening ??= openConfirmChannel(this.#connection).then(
      (opened) => this.#begin(opened),
      (error) => {
        this.#opening = undefined;
        throw error;
      },
    );
    return this.#opening;
  }

  #begin(opened: OpenChannel<AmqpConfirmChannel>): OpenChannel<AmqpConfirmChannel> {
    this.#opened = opened;
    opened.channel.on('return', ({ properties: { messageId = '' } }: AmqpMessage) => {
      const pending = this.#pending.get(messageId);
      if (pending) pending.isReturned = true;
    });
    opened.onClose((error) => {
      this.#opened = undefined;
      this.#opening = undefined;
      for (const pending of [...this.#pending.values()]) pending.reject(error);
    });
    return opened;
  }
}
