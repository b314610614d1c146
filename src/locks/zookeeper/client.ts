import { ConfigError } from '../../errors.js';
import type { Internals } from './internals.js';

type Done<T extends unknown[]> = (error: unknown, ...values: T) => void;
type Watcher = (event: { getPath(): string }) => void;

/** What this package uses of a client of `node-zookeeper-client`. */
export interface ZooKeeperClient {
  connect(): void;
  close(): void;
  create(path: string, data: Buffer, mode: number, done: Done<[path: string]>): void;
  remove(path: string, version: number, done: Done<[]>): void;
  exists(path: string, done: Done<[stat: Stat | null]>): void;
  setData(path: string, data: Buffer, version: number, done: Done<[stat: Stat]>): void;
  getData(path: string, done: Done<[data: Buffer | undefined, stat: Stat]>): void;
  getData(path: string, watcher: Watcher, done: Done<[data: Buffer | undefined, stat: Stat]>): void;
  getChildren(path: string, done: Done<[names: string[], stat: Stat]>): void;
  getChildren(path: string, watcher: Watcher, done: Done<[names: string[], stat: Stat]>): void;
  transaction(): Transaction;
  addAuthInfo(scheme: string, auth: Buffer): void;
  getState(): { readonly name: string };
  getSessionId(): Buffer;
  /** Milliseconds: what the server granted, once connected. */
  getSessionTimeout(): number;
  on(event: 'state', listener: (state: { readonly name: string }) => void): unknown;
  removeListener(event: 'state', listener: (state: { readonly name: string }) => void): unknown;
  /** Of no interest to users: see `internals.ts`. */
  readonly connectionManager?: Internals;
}

export interface Transaction {
  create(path: string, data: Buffer, mode: number): this;
  setData(path: string, data: Buffer): this;
  remove(path: string): this;
  commit(done: Done<[results: Result[] | undefined]>): void;
}

/** Of one step of a transaction. */
export interface Result {
  readonly path?: string;
  readonly stat?: Stat;
  readonly err?: number;
}

/** What a server tells of a node. Numbers of 64 bits are buffers, big end first. */
export interface Stat {
  /** The transaction that created it. */
  readonly czxid: Buffer;
  /** Milliseconds since 1970, by the clock of the leading server. */
  readonly ctime: Buffer;
  readonly mtime: Buffer;
  /** How often its data was set. */
  readonly version: number;
  /** How often children came and went. */
  readonly cversion: number;
  /** The session that it ends with; 0 for none. */
  readonly ephemeralOwner: Buffer;
}

/** Where servers are, and who is to be let in. */
export interface ZooKeeperTarget {
  /** `host:port,host:port` */
  readonly hosts: string;
  /** `user:password`, for the digest scheme. */
  readonly auth?: string;
}

/** Whether something that was handed over can be used as a client. */
export function isZooKeeperClient(value: unknown): value is ZooKeeperClient {
  const client = value as Partial<ZooKeeperClient> | null | undefined;
  return typeof client?.getSessionTimeout === 'function' && typeof client.transaction === 'function';
}

/** A client that is not connected yet. `spinDelay`: milliseconds between attempts when no server answers. */
export async function newClient(
  { hosts, auth }: ZooKeeperTarget,
  { sessionTimeout, spinDelay }: { sessionTimeout: number; spinDelay: number },
): Promise<ZooKeeperClient> {
  const { createClient } = await load();
  const client: ZooKeeperClient = createClient(hosts, { sessionTimeout, spinDelay, retries: 0 });
  if (auth !== undefined) client.addAuthInfo('digest', Buffer.from(auth));
  return client;
}

interface Library {
  createClient(
    hosts: string,
    options: { sessionTimeout: number; spinDelay: number; retries: number },
  ): ZooKeeperClient;
}

async function load(): Promise<Library> {
  try {
    return (await import('node-zookeeper-client')) as unknown as Library;
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new ConfigError(
      'ZooKeeper needs the package `node-zookeeper-client`: npm install node-zookeeper-client',
      { cause: error },
    );
  }
}
