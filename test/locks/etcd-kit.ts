import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Etcd3 } from 'etcd3';
import type { EtcdParty } from '../../src/locks/etcd/party.js';
import { etcdCoordinator } from '../../src/locks/etcd.js';
import type { CoordinatorHarness } from '../conformance/coordinator.js';

/** A harness for the suite: keys of its own for each test, in an etcd that others may use too. */
export function etcdHarness(server: { readonly url: string }, histories: number): CoordinatorHarness {
  let prefix = newPrefix();
  let names = 0;
  let parties: EtcdParty[] = [];
  return {
    features: {
      fair: true,
      fencing: true,
      weighted: true,
      semaphore: true,
      rate: false,
      survivesFailover: true,
      minLease: 2_000,
    },
    connect: async () => {
      const party = etcdCoordinator(server.url, { prefix }) as EtcdParty;
      parties.push(party);
      return party;
    },
    pass: (ms) => sleep(ms).then(() => {}),
    name: () => `resource-${++names}`,
    idle: async () => {
      const keys = await keysBelow(server.url, prefix);
      return keys.length === 0 && parties.every(({ size }) => size === 0);
    },
    cleanup: async () => {
      prefix = newPrefix();
      parties = [];
    },
    histories,
  };
}

export function newPrefix(): string {
  return `test-${randomUUID()}/`;
}

/** Every key that begins so. */
export async function keysBelow(url: string, prefix: string): Promise<string[]> {
  const client = rawClient(url);
  try {
    return await client.getAll().prefix(prefix).keys();
  } finally {
    client.close();
  }
}

export function rawClient(url: string): Etcd3 {
  return new Etcd3({ hosts: hostsOf(url) });
}

/** `http://127.0.0.1:1234` and so on. */
export function hostsOf(url: string): string[] {
  return url
    .replace('etcd://', '')
    .split(',')
    .map((host) => `http://${host}`);
}
