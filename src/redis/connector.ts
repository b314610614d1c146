import { createConnection, type Socket } from 'node:net';
import type { AbstractConnector, Redis } from 'ioredis';
import { Replies } from './replies.js';
import { ScriptCall } from './script-call.js';

type Connector = new (options: unknown) => AbstractConnector;

/** Milliseconds: how long a connection may take to end. */
const disconnectTimeout = 2_000;

/** Bytes that are read at once, at most. */
const readAtOnce = 65_536;

/** Bytes of a reply that are kept until more of it comes, at most. */
const mostKept = readAtOnce;

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
  /** The begin of a reply to a script, of which the rest is yet to come. */
  #begun: Buffer | undefined;

  constructor(socket: Socket, client: Redis) {
    this.#socket = socket;
    this.#client = client;
  }

  /** `bytes` are overwritten when this has returned. */
  take(bytes: Buffer): void {
    const replies = new Replies(this.#begun ? Buffer.concat([this.#begun, bytes]) : bytes);
    this.#begun = undefined;
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
      if (reply === undefined) break;
      commandQueue.shift();
      call.resolve(reply);
    }
    this.#keep(replies);
  }

  /** One that is long is read better by ioredis, which does not begin anew with each piece. */
  #keep(replies: Replies): void {
    if (replies.isOver || replies.isForeign || replies.rest.length > mostKept) return;
    this.#begun = Buffer.from(replies.rest);
    replies.skip();
  }

  /** Where a reply ends is for certain when no other is owed, and nothing comes unasked. */
  #leave(bytes: Buffer): void {
    // Not for certain either when a listener throws.
    this.#isWhole = false;
    this.#socket.emit('data', Buffer.from(bytes));
    const { commandQueue, condition } = this.#client;
    this.#isWhole = commandQueue.length === 0 && !condition?.subscriber;
  }
}
