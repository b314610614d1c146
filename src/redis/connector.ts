import { createConnection, type Socket } from 'node:net';
import type { AbstractConnector, Redis } from 'ioredis';
import { Replies } from './replies.js';
import { ScriptCall } from './script-call.js';

type Connector = new (options: unknown) => AbstractConnector;

/** Milliseconds: how long a connection may take to end. */
const disconnectTimeout = 2_000;

/** Bytes that are read at once. */
const readAtOnce = 65_536;

interface Server {
  readonly host: string;
  readonly port: number;
}

/**
 * How ioredis connects to a single server without TLS so that replies to scripts are read past it: they are taken from
 * where they have come in, while it gets what else there is, as it would from any connection.
 */
export function connectorTo(
  base: typeof AbstractConnector,
  { host, port }: Server,
  client: () => Redis,
): Connector {
  return class extends base {
    constructor() {
      super(disconnectTimeout);
    }

    override async connect(): Promise<Socket> {
      this.connecting = true;
      // Whoever disconnects at once is not connected first.
      await new Promise<void>((resolve) => process.nextTick(resolve));
      if (!this.connecting) throw new Error('Connection is closed.');
      const socket: Socket = createConnection({
        host,
        port,
        onread: {
          buffer: Buffer.allocUnsafeSlow(readAtOnce),
          callback: (length, bytes) => {
            reading.take((bytes as Buffer).subarray(0, length));
            return true;
          },
        },
      });
      const reading = new Reading(socket, client());
      this.stream = socket;
      socket.once('error', (error) => {
        this.firstError = error;
      });
      return socket;
    }
  };
}

/** What is read from one connection. */
class Reading {
  readonly #socket: Socket;
  readonly #client: Redis;
  /** Whether all that ioredis was given were whole replies. */
  #isWhole = true;

  constructor(socket: Socket, client: Redis) {
    this.#socket = socket;
    this.#client = client;
  }

  /** `bytes` are overwritten when this has returned. */
  take(bytes: Buffer): void {
    const replies = new Replies(bytes);
    if (this.#isWhole) this.#answer(replies);
    if (!replies.isOver) this.#leave(replies.rest);
  }

  #answer(replies: Replies): void {
    const { commandQueue, stream } = this.#client;
    // Whose connection this was may have another by now, with another queue.
    if (stream !== this.#socket) return;
    while (!replies.isOver) {
      const call: unknown = commandQueue.peekFront()?.command;
      if (!(call instanceof ScriptCall)) return;
      const reply = replies.next();
      if (reply === undefined) return;
      commandQueue.shift();
      call.answer(reply);
    }
  }

  /** Where a reply ends is for certain when no other is owed, and nothing comes unasked. */
  #leave(bytes: Buffer): void {
    this.#socket.emit('data', Buffer.from(bytes));
    const { commandQueue, condition } = this.#client;
    this.#isWhole = commandQueue.length === 0 && !condition?.subscriber;
  }
}
