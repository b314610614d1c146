import { randomUUID } from 'node:crypto';
import { sleep, systemClock } from '../../clock.js';
import { ClosedError } from '../../errors.js';
import { type OpenChannel, openChannel } from '../../rabbitmq/channel.js';
import type { AmqpMessage } from '../../rabbitmq/client.js';
import type { RabbitConnection } from '../../rabbitmq/connection.js';

/**
 * How long the queue outlives who reads it, in milliseconds. Celery's goes at once, and with it what is sent while its
 * owner connects again; this one waits for its owner, also over a restart of the server, and ends by itself when the owner
 * has died.
 */
const outlives = 600_000;

/** Between two attempts to read again, in milliseconds. */
const pause = 250;

/** The id is missing when it was too long for AMQP. */
type OnReply = (id: string | undefined, text: string) => void;

/** Where replies to one process come in. It is there from the first call of `open` on, and read again after every loss. */
export class ReplyQueue {
  readonly name: string;
  readonly #connection: RabbitConnection;
  readonly #onReply: OnReply;
  #opening: Promise<OpenChannel> | undefined;
  #closed = false;

  constructor(connection: RabbitConnection, prefix: string, onReply: OnReply) {
    this.name = `${prefix}.reply.${randomUUID()}`;
    this.#connection = connection;
    this.#onReply = onReply;
  }

  /** Resolves with its name when it is there. */
  async open(): Promise<string> {
    await this.#opened();
    return this.name;
  }

  /** Never rejects. What is in it is gone with it. */
  async close(): Promise<void> {
    this.#closed = true;
    const opened = await this.#opening?.catch(() => undefined);
    await opened?.call((channel) => channel.deleteQueue(this.name)).catch(() => {});
    await opened?.close();
  }

  #opened(): Promise<OpenChannel> {
    this.#opening ??= this.#open().catch((error) => {
      this.#opening = undefined;
      throw error;
    });
    return this.#opening;
  }

  async #open(): Promise<OpenChannel> {
    if (this.#closed) throw new ClosedError('The reply queue');
    const opened = await openChannel(this.#connection);
    try {
      const queue = { durable: true, arguments: { 'x-expires': outlives } };
      await opened.call((channel) => channel.assertQueue(this.name, queue));
      const onMessage = (message: AmqpMessage | null) => this.#onMessage(opened, message);
      await opened.call((channel) => channel.consume(this.name, onMessage));
    } catch (error) {
      await opened.close();
      throw error;
    }
    opened.onClose(() => this.#lost());
    return opened;
  }

  #onMessage(opened: OpenChannel, message: AmqpMessage | null): void {
    // The server says so when somebody has deleted the queue.
    if (message === null) return void opened.close();
    this.#onReply(message.properties.correlationId, message.content.toString('utf8'));
    // What was on its way when the connection was lost comes once more.
    opened.send((channel) => channel.ack(message));
  }

  #lost(): void {
    this.#opening = undefined;
    void this.#again();
  }

  async #again(): Promise<void> {
    while (!this.#closed) {
      try {
        await this.#opened();
        return;
      } catch {
        await sleep(systemClock, pause);
      }
    }
  }
}
