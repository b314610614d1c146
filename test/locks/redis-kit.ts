import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { afterAll } from 'vitest';

/** What tests of the Redis coordinator need to know of the keys it makes. To be called at the top of a file. */
export function useKeys(url: () => string): KeyKit {
  const clients = new Map<string, Redis>();
  let prefix = randomUUID();
  afterAll(() => {
    for (const client of clients.values()) client.disconnect();
  });
  function clientOf(node: string): Redis {
    // A test may take its server away.
    const client = clients.get(node) ?? new Redis(node).on('error', () => {});
    clients.set(node, client);
    return client;
  }
  return {
    get prefix() {
      return prefix;
    },
    get client() {
      return clientOf(url());
    },
    name: () => `${prefix}-${randomUUID()}`,
    none: async () => {
      const keys = nodesOf(url()).map((node) => clientOf(node).keys(`*${prefix}*`));
      return (await Promise.all(keys)).flat().length === 0;
    },
    renew: async () => {
      prefix = randomUUID();
    },
  };
}

export interface KeyKit {
  /** What the names of its keys begin with, in this test. */
  readonly prefix: string;
  /** A client that nothing of the coordinator goes by. */
  readonly client: Redis;
  /** A name that no resource has had before. */
  name(): string;
  /** Whether there is no key left of this test, on any node. */
  none(): Promise<boolean>;
  /** Another prefix, for the next test. */
  renew(): Promise<void>;
}

function nodesOf(url: string): string[] {
  const [, hosts] = /^redis\+cluster:\/\/(.*)$/.exec(url) ?? [];
  return hosts === undefined ? [url] : hosts.split(',').map((host) => `redis://${host}`);
}
