import { ConfigError } from '../../errors.js';
import type { Internals } from './internals.js';

/** What this package uses of a client of `node-zookeeper-client`. */
export interface ZooKeeperClient {
  connect(): void;
  close(): void;
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
  return typeof client?.getSessionTimeout === 'function' && typeof client.getSessionId === 'function';
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
