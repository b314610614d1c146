import type { SecureContextOptions } from 'node:tls';
import { systemClock } from '../../../clock.js';
import { Deadlines } from '../../../deadlines.js';
import type { CallDeadline, Transaction, TransactionAnswer } from '../client.js';
import { isTokenOutdated } from '../failure.js';
import { CallFailed, frame } from './call.js';
import { Connection } from './connection.js';
import { decodeAnswer, encodeTransaction } from './transaction.js';

/** Those of an etcd that may be asked. */
export interface MembersOptions {
  /** `http://host:port` or `https://host:port`. */
  readonly urls: readonly string[];
  readonly credentials: SecureContextOptions;
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
  #isClosed = false;

  constructor(options: MembersOptions) {
    this.#options = options;
    this.#at = Math.floor(Math.random() * options.urls.length);
  }

  async transact(request: Transaction, { deadline }: CallDeadline = {}): Promise<TransactionAnswer> {
    const end = deadline ?? Date.now() + longest;
    const signedIn = this.#signedIn();
    const token = signedIn && (await signedIn);
    const ms = end - Date.now();
    // Whoever asked may have asked again meanwhile.
    if (ms <= 0) throw new CallFailed('no time was left after signing in');
    if (this.#isClosed) throw new CallFailed('closed');
    const message = encodeTransaction(request, frame);
    this.#connection ??= this.#open();
    const connection = this.#connection;
    try {
      return decodeAnswer(await connection.call({ path, message, ms, token }), frame);
    } catch (error) {
      if (isTokenOutdated(error)) this.#forget(signedIn);
      const { code } = error as { code?: unknown };
      if (typeof code !== 'number' || passing.has(code)) this.#leave(connection);
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

  /** A token lasts for minutes, or until a member has started anew. Nothing where nobody has to sign in. */
  #signedIn(): Promise<string> | undefined {
    const { signIn } = this.#options;
    if (this.#token || !signIn) return this.#token;
    const token = signIn();
    this.#token = token;
    token.catch(() => this.#forget(token));
    return token;
  }

  /** Unless there is another one by now. */
  #forget(token: Promise<string> | undefined): void {
    if (this.#token === token) this.#token = undefined;
  }

  #leave(connection: Connection): void {
    if (this.#connection !== connection) return;
    this.#connection = undefined;
    this.#at = (this.#at + 1) % this.#options.urls.length;
    connection.close();
  }

  /** What is under way may be answered yet. */
  close(): void {
    this.#isClosed = true;
    this.#connection?.close();
  }
}
