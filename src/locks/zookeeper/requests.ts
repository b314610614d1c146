import type { ZooKeeperClient } from './client.js';
import { errorOf, isCollision, ZooKeeperError, zooKeeperError } from './error.js';
import { hold, type Internals } from './internals.js';
import {
  creation,
  type Data,
  kind,
  type Operation,
  Packet,
  type Result,
  removal,
  resultsIn,
  transaction,
  writing,
} from './packets.js';
import { Answer, type Field, type Stat } from './wire.js';

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

/** How a transaction went: all of it was done; or nothing, for somebody else was first. */
export type Committed =
  | { readonly done: true; readonly results: readonly Result[] }
  | { readonly done: false };

/** Of a transaction that was refused as a whole, for a node that is not there. */
const refusedWhole: readonly Result[] = [{ code: -101 }];

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
  readonly #inside: Internals;
  /** What the client puts before every path: nothing, most often. */
  readonly #root: string;
  readonly #isConnected: () => boolean;
  readonly #onEvent: (event: { getPath(): string }) => void;
  readonly #out = new Set<Outstanding>();
  #synced: Promise<void> | undefined;
  #gathering = false;
  /** How many answers there were. */
  answers = 0;

  constructor(client: ZooKeeperClient, isConnected: () => boolean, onChange: (path: string) => void) {
    this.#client = client;
    this.#inside = client.connectionManager as Internals;
    this.#root = this.#inside.chrootPath ?? '';
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
  create(path: string, data: Data, how: number): Promise<string | undefined> {
    return this.#ask(kind.create, creation(this.#at(path), data, how), undefined, (answer) =>
      this.#without(answer.text()),
    );
  }

  /** The same, with what is said of it. */
  createTold(path: string, data: Data, how: number): Promise<Made | undefined> {
    return this.#ask(kind.createTold, creation(this.#at(path), data, how), undefined, (answer) => ({
      path: this.#without(answer.text()),
      stat: answer.stat(),
    }));
  }

  /** False when it is not there. */
  remove(path: string): Promise<boolean> {
    return this.#ask(kind.remove, removal(this.#at(path)), false, () => true);
  }

  stat(path: string): Promise<Stat | undefined> {
    return this.#ask(kind.stat, [this.#at(path), false], undefined, (answer) => answer.stat());
  }

  /** Nothing when it is not there; then it is not watched either. */
  read(path: string, watch = false): Promise<Node | undefined> {
    return this.#ask(kind.read, [this.#at(path), watch], undefined, (answer) => {
      if (watch) this.#inside.registerDataWatcher(path, this.#onEvent);
      return { data: answer.data(), stat: answer.stat() };
    });
  }

  /** The names of its children; nothing when it is not there. */
  async list(path: string, watch = false): Promise<string[] | undefined> {
    return (await this.listTold(path, watch))?.names;
  }

  /** The same, with what was said of it at that very moment. */
  listTold(path: string, watch = false): Promise<Listed | undefined> {
    return this.#ask(kind.list, [this.#at(path), watch], undefined, (answer) => {
      if (watch) this.#inside.registerChildWatcher(path, this.#onEvent);
      return { names: answer.texts(), stat: answer.stat() };
    });
  }

  /** Sets the data. Nothing when it is not there. */
  write(path: string, data: Data): Promise<Stat | undefined> {
    return this.#ask(kind.write, writing(this.#at(path), data), undefined, (answer) => answer.stat());
  }

  async commit(operations: readonly Operation[]): Promise<Committed> {
    const fields = transaction(operations, (path) => this.#at(path));
    const results = await this.#ask(kind.commit, fields, refusedWhole, resultsIn);
    const code = results.find((result) => result.code)?.code;
    if (code === undefined) return { done: true, results: results.map((one) => this.#told(one)) };
    if (isCollision(code)) return { done: false };
    throw errorOf(code);
  }

  /**
   * What is read behind it is no older than now, and was read in a session that the leader knows. One does for all that is
   * asked in the same turn of the event loop.
   */
  sync(path: string): Promise<void> {
    if (this.#synced) return this.#synced;
    const synced = this.#ask(kind.sync, [this.#at(path)], undefined, () => undefined);
    synced.catch(() => {});
    this.#synced = synced;
    process.nextTick(() => {
      this.#synced = undefined;
    });
    return synced;
  }

  /**
   * What is asked meanwhile is one flight. To write is the dearest part of asking: so it is written at once, and while
   * answers are outstanding, with all else that is asked in the same turn of the event loop.
   */
  together<T>(ask: () => T): T {
    if (this.#gathering || this.#out.size > 0) return ask();
    this.#gathering = true;
    const send = hold(this.#client);
    try {
      return ask();
    } finally {
      this.#gathering = false;
      send();
    }
  }

  #gather(): void {
    if (this.#gathering || this.#out.size === 0) return;
    this.#gathering = true;
    const send = hold(this.#client);
    process.nextTick(() => {
      this.#gathering = false;
      send();
    });
  }

  /** Rejects all that is out. */
  end(error: ZooKeeperError): void {
    for (const { reject } of this.#out) reject(error);
    this.#out.clear();
  }

  /** `absent`: what it comes to when there is no such node. */
  #ask<T, A>(of: number, fields: readonly Field[], absent: A, read: (answer: Answer) => T): Promise<T | A> {
    if (!this.#isConnected()) return Promise.reject(new ZooKeeperError('CONNECTION_LOSS'));
    this.#gather();
    return new Promise((resolve, reject) => {
      const request: Outstanding = { sentAt: performance.now(), reject };
      this.#out.add(request);
      this.#inside.queue(new Packet(of, fields), (error) => {
        this.answers++;
        // One that cannot be read ends the connection, and with it what is out.
        const value = error ? undefined : read(new Answer(this.#inside.answer as Buffer));
        if (!this.#out.delete(request)) return;
        if (!error) return resolve(value as T);
        const known = zooKeeperError(error);
        if (known.reason === 'NO_NODE') resolve(absent);
        else reject(known);
      });
    });
  }

  #at(path: string): string {
    return path === '/' && this.#root !== '' ? this.#root : this.#root + path;
  }

  #without(path: string): string {
    return path.slice(this.#root.length);
  }

  #told(result: Result): Result {
    return result.path === undefined ? result : { ...result, path: this.#without(result.path) };
  }
}
