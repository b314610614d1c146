import type { SecureClientSessionOptions } from 'node:http2';
import { systemClock } from '../../../clock.js';
import { Deadlines } from '../../../deadlines.js';
import type { CallDeadline, Transaction, TransactionAnswer } from '../client.js';
import { frame } from './call.js';
import { Connection } from './connection.js';
import { decodeAnswer, encodeTransaction } from './transaction.js';

/** Those of an etcd that may be asked. */
export interface MembersOptions {
  /** `http://host:port` or `https://host:port`. */
  readonly urls: readonly string[];
  readonly credentials: SecureClientSessionOptions;
  /** Exchanges user and password for a token, where etcd asks who is there. */
  readonly signIn: (() => Promise<string>) | undefined;
}

const path = '/etcdserverpb.KV/Txn';

/** For a transaction that names no deadline, in milliseconds. */
const longest = 10_000;

/** What a member answers, as gRPC counts it, that could not answer in time, or at all: another one may. */
const passing: ReadonlySet<unknown> = new Set([4, 14]);

/**
 * Transactions without what etcd3 and gRPC make of them, which takes longer than all else that is done for a permit. They
 * go to one member, any of them at first, and on to the next when that was silent or could not answer.
 */
export class Members {
  readonly #options: MembersOptions;
  readonly #deadlines = new Deadlines(systemClock);
  /** The member that is asked. */
  #at: number;
  #connection: Connection | undefined;
  #token: Promise<string> | undefined;

  constructor(options: MembersOptions) {
    this.#options = options;
    this.#at = Math.floor(Math.random() * options.urls.length);
  }

  async transact(request: Transaction, { deadline }: CallDeadline = {}): Promise<TransactionAnswer> {
    const ms = deadline === undefined ? longest : Math.max(0, deadline - Date.now());
    const token = this.#options.signIn ? await this.#signedIn(this.#options.signIn) : undefined;
    const message = encodeTransaction(request, frame);
    this.#connection ??= this.#open();
    const connection = this.#connection;
    try {
      return decodeAnswer(await connection.call({ path, message, ms, token }), frame);
    } catch (error) {
      this.#learn(error, connection);
      throw error;
    }
  }

  #open(): Connection {
    const { urls, credentials } = this.#options;
    const url = urls[this.#at] as string;
    const connection: Connection = new Connection(url, credentials, this.#deadlines, () =>
      this.#leave(connection),
    );
    return connection;
  }

  async #signedIn(signIn: () => Promise<string>): Promise<string> {
    this.#token ??= signIn();
    try {
      return await this.#token;
    } catch (error) {
      this.#token = undefined;
      throw error;
    }
  }

  /** From a call that failed. A token lasts for minutes, or until a member has started anew. */
  #learn(error: unknown, connection: Connection): void {
    const { code, message } = error as { code?: unknown; message?: string };
    if (message?.includes('invalid auth token')) this.#token = undefined;
    if (typeof code !== 'number' || passing.has(code)) this.#leave(connection);
  }

  #leave(connection: Connection): void {
    if (this.#connection !== connection) return;
    this.#connection = undefined;
    this.#at = (this.#at + 1) % this.#options.urls.length;
    connection.close();
  }

  /** What is under way is answered yet. */
  close(): void {
    this.#connection?.close();
  }
}
