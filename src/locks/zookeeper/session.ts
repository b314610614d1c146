import type { ZooKeeperClient } from './client.js';
import { ZooKeeperError } from './error.js';
import { abandon, leaveServer, sayOnce, survive } from './internals.js';
import { Requests } from './requests.js';

export interface SessionOptions {
  /** Milliseconds: how long the server keeps what it holds when nothing is heard of us. */
  readonly timeout: number;
  /** Milliseconds between signs of life, at most. */
  readonly beat: number;
  /** Whether the client is ours to close. */
  readonly owned: boolean;
  /** A node that is watched has changed or gone, or has other children. */
  readonly onChange: (path: string) => void;
  /** Requests can be sent, for the first time or again. */
  readonly onConnected: () => void;
  /** The session is over, and all that ended with it is gone. */
  readonly onOver: () => void;
}

interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/**
 * One session: what is made in it ends with it.
 *
 * The library connects again by itself and keeps the session, but it notices nothing that is not told by TCP. So a request
 * is sent every half tick in any case, and a server that leaves one unanswered for a third of the time-out (2 s at most)
 * is left for the next: in time, for the session lives on there.
 *
 * A session that the server has ended is over, and so is its client. If this process stalls, the server ends the session
 * while nothing here knows: the first answer tells, and until then the lease keeper's clock judges.
 */
export class Session {
  readonly requests: Requests;
  /** Milliseconds, as asked for. */
  readonly timeout: number;
  readonly #client: ZooKeeperClient;
  readonly #options: SessionOptions;
  readonly #waiting = new Set<Waiter>();
  readonly #patience: number;
  readonly #beats: NodeJS.Timeout;
  #state: 'connecting' | 'connected' | 'over' = 'connecting';
  #why = new ZooKeeperError('CONNECTION_LOSS');
  #id = 0n;
  #connectingSince = performance.now();
  /** Answers when the oldest request was found to be out for too long; that it is found so twice means a dead server. */
  #stuckAt: number | undefined;

  constructor(client: ZooKeeperClient, options: SessionOptions) {
    this.#client = client;
    this.#options = options;
    this.timeout = options.timeout;
    this.#patience = Math.min(2_000, options.timeout / 3);
    this.requests = new Requests(client, () => this.connected, options.onChange);
    survive(client, (error) => {
      this.#why = new ZooKeeperError('CONNECTION_LOSS', { cause: error });
    });
    sayOnce(client);
    client.on('state', this.#onState);
    this.#beats = setInterval(() => this.#beat(), Math.min(options.beat, this.#patience / 3));
    this.#beats.unref();
    if (options.owned) client.connect();
    // One that was handed over may be connected already.
    else queueMicrotask(() => this.#onState(client.getState()));
  }

  /** As nodes name their owner. 0 before it is connected for the first time. */
  get id(): bigint {
    return this.#id;
  }

  get connected(): boolean {
    return this.#state === 'connected';
  }

  get over(): boolean {
    return this.#state === 'over';
  }

  /** Whether the client ends with it. */
  get owned(): boolean {
    return this.#options.owned;
  }

  /** Milliseconds that the server granted. */
  get granted(): number {
    return this.#client.getSessionTimeout();
  }

  /** Resolves when requests can be sent. Rejects when that takes longer than `ms` milliseconds, or the session is over. */
  ready(ms: number): Promise<void> {
    if (this.connected) return Promise.resolve();
    if (this.over) return Promise.reject(this.#why);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => waiter.reject(this.#why), ms);
      const over = () => {
        clearTimeout(timer);
        this.#waiting.delete(waiter);
      };
      const waiter: Waiter = {
        resolve: () => {
          over();
          resolve();
        },
        reject: (error) => {
          over();
          reject(error);
        },
      };
      this.#waiting.add(waiter);
    });
  }

  readonly #onState = ({ name }: { readonly name: string }): void => {
    if (this.over) return;
    if (name === 'SYNC_CONNECTED') this.#onConnected();
    else if (name === 'DISCONNECTED') this.#onDisconnected();
    else if (name === 'EXPIRED') this.#end(new ZooKeeperError('SESSION_EXPIRED'));
    else if (name === 'AUTH_FAILED') this.#refused();
  };

  /** The library would connect again, to be refused again. */
  #refused(): void {
    this.#end(new ZooKeeperError('AUTH_FAILED'));
    if (this.#options.owned) abandon(this.#client);
  }

  #onConnected(): void {
    this.#state = 'connected';
    this.#id = this.#client.getSessionId().readBigInt64BE();
    this.#why = new ZooKeeperError('CONNECTION_LOSS');
    this.#stuckAt = undefined;
    for (const { resolve } of this.#waiting) resolve();
    this.#options.onConnected();
  }

  #onDisconnected(): void {
    this.#state = 'connecting';
    this.#connectingSince = performance.now();
    this.requests.end(this.#why);
  }

  #beat(): void {
    const now = performance.now();
    if (!this.connected) {
      // The library waits for ever for a server that takes the connection and says nothing.
      if (now - this.#connectingSince < this.#patience) return;
      this.#connectingSince = now;
      leaveServer(this.#client);
      return;
    }
    this.#leaveIfStuck();
    if (this.connected) this.requests.stat('/').catch(() => {});
  }

  /** When this process itself was held up, answers may lie in the socket unread: so it is looked at twice. */
  #leaveIfStuck(): void {
    const { silence, answers } = this.requests;
    if (silence < this.#patience) this.#stuckAt = undefined;
    else if (this.#stuckAt === answers) leaveServer(this.#client);
    else this.#stuckAt = answers;
  }

  #end(why: ZooKeeperError): void {
    this.#state = 'over';
    this.#why = why;
    clearInterval(this.#beats);
    this.#client.removeListener('state', this.#onState);
    this.requests.end(why);
    for (const { reject } of this.#waiting) reject(why);
    this.#options.onOver();
  }

  /** Ends the session, and what was made in it. Resolves soon, whatever the server does. */
  async close(): Promise<void> {
    if (this.over) return;
    const { connected } = this;
    this.#end(new ZooKeeperError('SESSION_EXPIRED'));
    if (!this.#options.owned) return;
    if (connected) await this.#closed();
    abandon(this.#client);
  }

  /** Leaves without a word: what was made in it ends when its time is over. */
  drop(): void {
    if (this.over) return;
    this.#end(new ZooKeeperError('SESSION_EXPIRED'));
    if (this.#options.owned) abandon(this.#client);
  }

  #closed(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, Math.min(1_000, this.timeout));
      this.#client.on('state', ({ name }) => {
        if (name !== 'DISCONNECTED') return;
        clearTimeout(timer);
        resolve();
      });
      this.#client.close();
    });
  }
}
