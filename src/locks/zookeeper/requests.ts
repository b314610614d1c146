import type { Result, Stat, ZooKeeperClient } from './client.js';
import { isCollision, ZooKeeperError, zooKeeperError } from './error.js';
import { sendTogether } from './internals.js';
import { createTold, sync } from './packets.js';

export const mode = { persistent: 0, ephemeral: 1, ephemeralSequential: 3 } as const;

/** A node as it was read. */
export interface Node {
  readonly data: Buffer;
  readonly stat: Stat;
}

/** The children of a node, and what was said of it with them. */
export interface Listed {
  readonly names: string[];
  readonly stat: Stat;
}

/** A node as it was made. */
export interface Made {
  readonly path: string;
  readonly stat: Stat;
}

export type Operation =
  | { readonly create: string; readonly data: Buffer; readonly mode: number }
  | { readonly write: string; readonly data: Buffer }
  | { readonly remove: string };

/** How a transaction went: all of it was done; or nothing, for somebody else was first. */
export type Committed =
  | { readonly done: true; readonly results: readonly Result[] }
  | { readonly done: false };

interface Outstanding {
  readonly sentAt: number;
  readonly reject: (error: ZooKeeperError) => void;
}

/**
 * What is asked of ZooKeeper over one client, as promises.
 *
 * A server answers in the order in which it was asked, so requests that are sent back to back are one flight, and each
 * sees what those before it have done. Nothing is sent while there is no connection: the library would keep it, and send
 * it when its caller has long given up. All that is out is rejected when the connection is lost; whether it took effect
 * is not known then.
 */
export class Requests {
  readonly #client: ZooKeeperClient;
  readonly #isConnected: () => boolean;
  readonly #onEvent: (event: { getPath(): string }) => void;
  readonly #out = new Set<Outstanding>();
  #synced: Promise<void> | undefined;
  #sending = false;
  /** How many answers there were. */
  answers = 0;

  constructor(client: ZooKeeperClient, isConnected: () => boolean, onChange: (path: string) => void) {
    this.#client = client;
    this.#isConnected = isConnected;
    // One function for all watches: the library keeps one of a path for each function it is given.
    this.#onEvent = (event) => onChange(event.getPath());
  }

  /** Milliseconds that the oldest of those without an answer has been out. */
  get silence(): number {
    const [oldest] = this.#out;
    return oldest ? performance.now() - oldest.sentAt : 0;
  }

  /** The path, with its number if it is sequential; nothing when there is no parent. */
  create(path: string, data: Buffer, how: number): Promise<string | undefined> {
    return this.#ask<string | undefined>(
      (done) => this.#client.create(path, data, how, done),
      () => undefined,
    );
  }

  /** The same, with what is said of it. */
  createTold(path: string, data: Buffer, how: number): Promise<Made | undefined> {
    return this.#ask<Made | undefined>(
      (done) =>
        createTold(this.#client, path, data, how, (error, made, stat) =>
          done(error, made === undefined || !stat ? undefined : { path: made, stat }),
        ),
      () => undefined,
    );
  }

  /** False when it is not there. */
  remove(path: string): Promise<boolean> {
    return this.#ask(
      (done) => this.#client.remove(path, -1, (error) => done(error, true)),
      () => false,
    );
  }

  stat(path: string): Promise<Stat | undefined> {
    return this.#ask((done) => this.#client.exists(path, (error, stat) => done(error, stat ?? undefined)));
  }

  /** Nothing when it is not there; then it is not watched either. */
  read(path: string, watch = false): Promise<Node | undefined> {
    return this.#ask<Node | undefined>(
      (done) => {
        const read = (error: unknown, data: Buffer | undefined, stat: Stat) =>
          done(error, { data: data ?? Buffer.alloc(0), stat });
        if (watch) this.#client.getData(path, this.#onEvent, read);
        else this.#client.getData(path, read);
      },
      () => undefined,
    );
  }

  /** The names of its children; nothing when it is not there. */
  async list(path: string, watch = false): Promise<string[] | undefined> {
    return (await this.listTold(path, watch))?.names;
  }

  /** The same, with what was said of it at that very moment. */
  listTold(path: string, watch = false): Promise<Listed | undefined> {
    return this.#ask<Listed | undefined>(
      (done) => {
        const listed = (error: unknown, names: string[], stat: Stat) => done(error, { names, stat });
        if (watch) this.#client.getChildren(path, this.#onEvent, listed);
        else this.#client.getChildren(path, listed);
      },
      () => undefined,
    );
  }

  /** Sets the data. Nothing when it is not there. */
  write(path: string, data: Buffer, version = -1): Promise<Stat | undefined> {
    return this.#ask<Stat | undefined>(
      (done) => this.#client.setData(path, data, version, done),
      () => undefined,
    );
  }

  commit(operations: readonly Operation[]): Promise<Committed> {
    const transaction = this.#client.transaction();
    for (const one of operations) {
      if ('create' in one) transaction.create(one.create, one.data, one.mode);
      else if ('write' in one) transaction.setData(one.write, one.data);
      else transaction.remove(one.remove);
    }
    return this.#ask<Committed>((done) =>
      transaction.commit((error, results) => {
        const failed = results?.find(({ err }) => err);
        if (isCollision(failed?.err)) return done(null, { done: false });
        return done(error, { done: true, results: results ?? [] });
      }),
    );
  }

  /**
   * What is read behind it is no older than now, and was read in a session that the leader knows. One does for all that is
   * asked in the same turn of the event loop.
   */
  sync(path: string): Promise<void> {
    if (this.#synced) return this.#synced;
    const synced = this.#ask<void>((done) => sync(this.#client, path, (error) => done(error)));
    synced.catch(() => {});
    this.#synced = synced;
    process.nextTick(() => {
      this.#synced = undefined;
    });
    return synced;
  }

  #sendTogether(): void {
    if (this.#sending) return;
    this.#sending = true;
    sendTogether(this.#client);
    process.nextTick(() => {
      this.#sending = false;
    });
  }

  /** Rejects all that is out. */
  end(error: ZooKeeperError): void {
    for (const { reject } of this.#out) reject(error);
    this.#out.clear();
  }

  #ask<T>(send: (done: (error: unknown, value: T) => void) => void, absent?: () => T): Promise<T> {
    if (!this.#isConnected()) return Promise.reject(new ZooKeeperError('CONNECTION_LOSS'));
    this.#sendTogether();
    return new Promise((resolve, reject) => {
      const request: Outstanding = { sentAt: performance.now(), reject };
      this.#out.add(request);
      send((error, value) => {
        this.answers++;
        if (!this.#out.delete(request)) return;
        if (!error) return resolve(value);
        const known = zooKeeperError(error);
        if (absent && known.reason === 'NO_NODE') resolve(absent());
        else reject(known);
      });
    });
  }
}
