import { systemClock } from '../clock.js';
import { inTime } from '../in-time.js';
import type { AmqpChannel, AmqpConfirmChannel } from './client.js';
import type { RabbitConnection } from './connection.js';
import { answered, stepTimeout } from './link.js';

/** A channel, and what becomes of it. */
export class OpenChannel<C extends AmqpChannel = AmqpChannel> {
  readonly channel: C;
  readonly #listeners = new Set<(error: Error) => void>();
  #failure: Error | undefined;

  constructor(channel: C) {
    this.channel = channel;
    channel.on('error', (error: Error) => this.#end(error));
    channel.on('close', () => this.#end(new Error('the channel was closed')));
  }

  /** Why it was closed, once it is: by the server, which says why, or with its connection. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  get isOpen(): boolean {
    return this.#failure === undefined;
  }

  /** Calls once, when it is closed, or now if it is. Returns what ends that. */
  onClose(listener: (error: Error) => void): () => void {
    if (this.#failure) listener(this.#failure);
    else this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** A call of the channel, with a deadline. */
  async call<T>(step: (channel: C) => Promise<T>, timeout = stepTimeout): Promise<T> {
    if (this.#failure) throw this.#failure;
    return await answered(step(this.channel), timeout);
  }

  /** What needs no answer. False when the channel is closed: amqplib throws then. */
  send(step: (channel: C) => void): boolean {
    if (this.#failure) return false;
    try {
      step(this.channel);
      return true;
    } catch {
      return false;
    }
  }

  /** Never rejects. What is not acknowledged on it goes back to its queue. */
  async close(): Promise<void> {
    if (this.#failure) return;
    try {
      await answered(this.channel.close(), 1_000);
    } catch {
      // It is closed already, or ends with its connection.
    }
  }

  #end(error: Error): void {
    if (this.#failure) return;
    this.#failure = error;
    for (const listener of this.#listeners) listener(error);
    this.#listeners.clear();
  }
}

export async function openChannel(connection: RabbitConnection): Promise<OpenChannel> {
  const current = await connection.ready(stepTimeout);
  return opened(connection, new OpenChannel(await answered(current.createChannel())));
}

export async function openConfirmChannel(
  connection: RabbitConnection,
): Promise<OpenChannel<AmqpConfirmChannel>> {
  const current = await connection.ready(stepTimeout);
  return opened(connection, new OpenChannel(await answered(current.createConfirmChannel())));
}

function opened<C extends OpenChannel>(connection: RabbitConnection, channel: C): C {
  channel.onClose(connection.closeFirst(channel));
  return channel;
}

/** How long a call may wait for those before it, and for its own answer, in milliseconds. */
const longestWait = 3 * stepTimeout;

/**
 * A channel for calls one after the other: opened when it is needed, and anew when an error has closed it. The server answers
 * the calls of a channel in turn, so the deadline of each begins when the one before it was answered.
 */
export class CallChannel {
  readonly #connection: RabbitConnection;
  #opening: Promise<OpenChannel> | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(connection: RabbitConnection) {
    this.#connection = connection;
  }

  /** A call. Where the server refuses it, by closing the channel, it rejects with the server's error. */
  async call<T>(step: (channel: AmqpChannel) => Promise<T>): Promise<T> {
    let isLate = false;
    const run = async () => {
      if (isLate) throw new Error(`no turn in ${longestWait} ms`);
      const opened = await this.#open();
      return await opened.call(step);
    };
    const answer = this.#last.then(run);
    this.#last = answer.catch(() => {});
    const late = () => {
      isLate = true;
      return new Error(`no answer in ${longestWait} ms`);
    };
    return await inTime(systemClock, answer, longestWait, late);
  }

  /** Opens the channel, so that the first call does not wait for that. */
  async open(): Promise<void> {
    await this.#open();
  }

  async close(): Promise<void> {
    const opened = await this.#opening?.catch(() => undefined);
    await opened?.close();
  }

  #open(): Promise<OpenChannel> {
    this.#opening ??= openChannel(this.#connection).then(
      (opened) => {
        opened.onClose(() => {
          this.#opening = undefined;
        });
        return opened;
      },
      (error) => {
        this.#opening = undefined;
        throw error;
      },
    );
    return this.#opening;
  }
}
