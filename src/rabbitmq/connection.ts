import { systemClock } from '../clock.js';
import { ClosedError } from '../errors.js';
import { inTime } from '../in-time.js';
import type { AmqpConnection } from './client.js';
import { gatherWrites } from './gather.js';
import type { RabbitSource } from './open.js';

interface Waiter {
  resolve(connection: AmqpConnection): void;
  reject(error: Error): void;
}

export interface RabbitConnectionOptions {
  /** Seconds between two signs of life. Default 5: a server that gives none is given up after 10 to 15. */
  readonly heartbeat?: number;
  /** What RabbitMQ's own tools show the connection as. Default `lockkeeper`. */
  readonly label?: string;
}

/** Milliseconds in which a connection must come about, or be closed in good order. */
const connectTimeout = 5_000;
const closeTimeout = 1_000;

/**
 * One connection, made when it is first asked for, and made anew whenever it is lost.
 *
 * amqplib gives a connection up when the server has not been heard for two heartbeats; what comes after that is done here,
 * for its own recovery is younger than the versions supported. A caller waits for a connection as long as its own deadline
 * allows, but no longer than for one attempt: when that fails it is told the reason. What was declared or
 * consumed on the connection is gone with it: whoever needs that sets it up again `onReady`.
 */
export class RabbitConnection {
  readonly source: RabbitSource;
  readonly #heartbeat: number;
  readonly #label: string;
  readonly #waiting = new Set<Waiter>();
  readonly #readyListeners = new Set<(connection: AmqpConnection) => void>();
  readonly #lostListeners = new Set<(error: Error) => void>();
  readonly #blockedListeners = new Set<(reason: string | undefined) => void>();
  readonly #channels = new Set<{ close(): Promise<void> }>();
  #current: AmqpConnection | undefined;
  #begun = false;
  #failures = 0;
  #blocked: string | undefined;
  #retry: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(source: RabbitSource, { heartbeat = 5, label = 'lockkeeper' }: RabbitConnectionOptions = {}) {
    this.source = source;
    this.#heartbeat = heartbeat;
    this.#label = label;
  }

  /** The connection, if there is one now. */
  get current(): AmqpConnection | undefined {
    return this.#current;
  }

  /** Why the server takes no messages at present (it is short of memory or disk), if it has said so. */
  get blocked(): string | undefined {
    return this.#blocked;
  }

  /** A connection. Rejects with the reason when there is none within `timeout` milliseconds. */
  ready(timeout: number): Promise<AmqpConnection> {
    if (this.#closed) return Promise.reject(new ClosedError('The RabbitMQ connection'));
    if (this.#current) return Promise.resolve(this.#current);
    const wait = this.#wait(timeout);
    if (!this.#begun) {
      this.#begun = true;
      void this.#connect();
    }
    return wait;
  }

  /** Calls whenever there is a connection again, and for the first one too. */
  onReady(listener: (connection: AmqpConnection) => void): () => void {
    this.#readyListeners.add(listener);
    return () => this.#readyListeners.delete(listener);
  }

  /** Calls whenever the connection is lost, and with why: never for one that was closed here. */
  onLost(listener: (error: Error) => void): () => void {
    this.#lostListeners.add(listener);
    return () => this.#lostListeners.delete(listener);
  }

  /** Calls when the server stops taking messages, with its reason, and without one when it takes them again. */
  onBlocked(listener: (reason: string | undefined) => void): () => void {
    this.#blockedListeners.add(listener);
    return () => this.#blockedListeners.delete(listener);
  }

  /** Gives a connection up that is of no use any more, and makes another. */
  reset(connection: AmqpConnection, error: Error): void {
    if (connection === this.#current) this.#onLost(connection, error);
    destroy(connection);
  }

  /** Closes this channel before it closes the connection. Returns what ends that. */
  closeFirst(channel: { close(): Promise<void> }): () => void {
    this.#channels.add(channel);
    return () => this.#channels.delete(channel);
  }

  /**
   * Whoever waits is told. Channels are closed first: amqplib sends what is written on several of them by turns, so that the
   * connection's end would go out before what was acknowledged just now, and that would be delivered once more.
   */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#retry);
    this.#rejectAll(new ClosedError('The RabbitMQ connection'));
    const connection = this.#current;
    this.#current = undefined;
    if (!connection) return;
    await Promise.all([...this.#channels].map((channel) => channel.close()));
    await end(connection);
  }

  #wait(timeout: number): Promise<AmqpConnection> {
    return new Promise((resolve, reject) => {
      const over = () => {
        clearTimeout(timer);
        this.#waiting.delete(waiter);
      };
      const waiter: Waiter = {
        resolve: (connection) => {
          over();
          resolve(connection);
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

  async #connect(): Promise<void> {
    try {
      const connection = await this.#open();
      if (this.#closed) return void end(connection);
      this.#onReady(connection);
    } catch (error) {
      if (this.#closed) return;
      this.#rejectAll(error as Error);
      this.#connectLater();
    }
  }

  /** One that comes too late is closed when it comes. */
  async #open(): Promise<AmqpConnection> {
    const opening = this.source.open({
      heartbeat: this.#heartbeat,
      timeout: connectTimeout,
      label: this.#label,
    });
    let isLate = false;
    opening.then(
      (connection) => void (isLate && end(connection)),
      () => {},
    );
    const late = () => {
      isLate = true;
      return new Error(`no connection within ${connectTimeout} ms`);
    };
    return await inTime(systemClock, opening, connectTimeout + 500, late);
  }

  #connectLater(): void {
    this.#retry = setTimeout(() => void this.#connect(), pause(++this.#failures));
    this.#retry.unref();
  }

  #onReady(connection: AmqpConnection): void {
    this.#current = connection;
    this.#failures = 0;
    gatherWrites(connection);
    let why: Error | undefined;
    connection.on('error', (error: Error) => {
      why = error;
    });
    connection.on('close', (error?: Error) =>
      this.#onLost(connection, why ?? error ?? new Error('the server closed the connection')),
    );
    connection.on('blocked', (reason: unknown) => this.#onBlocked(connection, String(reason)));
    connection.on('unblocked', () => this.#onBlocked(connection, undefined));
    for (const listener of this.#readyListeners) listener(connection);
    for (const { resolve } of this.#waiting) resolve(connection);
  }

  #onLost(connection: AmqpConnection, error: Error): void {
    if (connection !== this.#current) return;
    this.#current = undefined;
    this.#onBlocked(undefined, undefined);
    for (const listener of this.#lostListeners) listener(error);
    if (!this.#closed) this.#connectLater();
  }

  #onBlocked(connection: AmqpConnection | undefined, reason: string | undefined): void {
    if (connection && connection !== this.#current) return;
    if (reason === this.#blocked) return;
    this.#blocked = reason;
    for (const listener of this.#blockedListeners) listener(reason);
  }

  #rejectAll(error: Error): void {
    for (const { reject } of this.#waiting) reject(error);
  }
}

/** Milliseconds before the next attempt to connect: 50 ms, doubling up to 1 s, give or take a quarter. */
function pause(attempt: number): number {
  return Math.min(1_000, 25 * 2 ** Math.min(attempt, 10)) * (0.75 + Math.random() / 2);
}

/** Closes in good order, or, when the server does not answer, without it. */
async function end(connection: AmqpConnection): Promise<void> {
  connection.on('error', () => {});
  const late = () => new Error('the server did not answer');
  await inTime(systemClock, connection.close(), closeTimeout, late).catch(() => destroy(connection));
}

function destroy(connection: AmqpConnection): void {
  connection.on('error', () => {});
  const { stream } = connection.connection ?? {};
  if (stream) stream.destroy();
  else void connection.close().catch(() => {});
}
