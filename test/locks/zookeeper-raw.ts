import zookeeper, { type Client } from 'node-zookeeper-client';
import { afterAll } from 'vitest';

/** A client of a ZooKeeper that nothing of the coordinator goes by. */
export interface RawZooKeeper {
  /** `host:port`, as clients of other languages take it. */
  readonly hosts: string;
  create(path: string, data?: string, mode?: number): Promise<string>;
  get(path: string): Promise<string>;
  set(path: string, data: string): Promise<void>;
  list(path: string): Promise<string[]>;
  remove(path: string): Promise<void>;
}

export const ephemeralSequential = 3;

/** To be called at the top of a file. */
export function useRawZooKeeper(url: () => string): RawZooKeeper {
  let opened: Client | undefined;
  const hosts = () => url().replace('zk://', '');
  const client = () => (opened ??= connected(hosts()));
  afterAll(() => opened?.close());

  function ask<T>(send: (done: (error: unknown, value: T) => void) => void): Promise<T> {
    return new Promise((resolve, reject) => send((error, value) => (error ? reject(error) : resolve(value))));
  }
  return {
    get hosts() {
      return hosts();
    },
    create: (path, data = '', mode = 0) =>
      ask((done) => client().create(path, Buffer.from(data), mode, done)),
    get: async (path) => String(await ask<Buffer>((done) => client().getData(path, done))),
    set: async (path, data) => void (await ask((done) => client().setData(path, Buffer.from(data), done))),
    list: (path) => ask((done) => client().getChildren(path, done)),
    remove: async (path) => void (await ask<void>((done) => client().remove(path, (error) => done(error)))),
  };
}

function connected(hosts: string): Client {
  const client = zookeeper.createClient(hosts, { sessionTimeout: 10_000 });
  client.connect();
  return client;
}
