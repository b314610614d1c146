import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { noop } from 'cockatiel';
import { Etcd3 } from 'etcd3';
import { afterAll, afterEach, beforeAll } from 'vitest';
import type { Coordinator } from '../../src/locks/coordinator.js';
import type { EtcdClient, Transaction } from '../../src/locks/etcd/client.js';
import type { EtcdParty } from '../../src/locks/etcd/party.js';
import { etcdCoordinator } from '../../src/locks/etcd.js';
import { soon } from '../conformance/coordinator/kit.js';
import type { CoordinatorHarness } from '../conformance/coordinator.js';

/** A harness for the suite: keys of its own for each test, in an etcd that others may use too. */
export function etcdHarness(server: { readonly url: string }): CoordinatorHarness {
  let prefix = newPrefix();
  let names = 0;
  let parties: EtcdParty[] = [];
  const raw = useRawClient(server);
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
    pass: async (ms) => sleep(ms),
    name: () => `resource-${++names}`,
    idle: async () => {
      const keys = await raw().getAll().prefix(prefix).keys();
      return keys.length === 0 && parties.every(({ size }) => size === 0);
    },
    cleanup: async () => {
      prefix = newPrefix();
      parties = [];
    },
    histories: 5,
  };
}

/** What the names of keys begin with that nobody else uses. */
export function newPrefix(): string {
  return `test-${randomUUID()}/`;
}

/** An etcd3 client for a test file, as somebody else would use it. */
export function useRawClient(server: { readonly url: string }): () => Etcd3 {
  let client: Etcd3 | undefined;
  beforeAll(() => {
    client = rawClient(server.url);
  });
  afterAll(() => client?.close());
  return () => client!;
}

/** Sides for a test file, each closed when its test is over, and their keys as any other program sees them. */
export function useParties(server: { readonly url: string }) {
  const raw = useRawClient(server);
  const prefix = newPrefix();
  const open: (Coordinator | RecordingClient)[] = [];
  afterEach(async () => {
    for (const one of open.splice(0)) await one.close();
  });
  const through = <C extends RecordingClient>(client: C) => {
    const party = etcdCoordinator(client, { prefix });
    open.push(party, client);
    return { party, client };
  };
  return {
    raw,
    prefix,
    connect: (): Coordinator => {
      const party = etcdCoordinator(server.url, { prefix });
      open.push(party);
      return party;
    },
    /** A side on that client. */
    through,
    /** A side on a client that writes down what it is asked. */
    recorded: () => through(new RecordingClient(server.url)),
    /** What stands below a name, in the order in which it came. */
    keysOf: async (name: string) => {
      const { kvs } = await raw().getAll().prefix(`${prefix}${name}`).sort('Create', 'Ascend').exec();
      return kvs.map(({ key, value, lease, create_revision }) => ({
        key: key.toString().slice(prefix.length),
        value: value.toString(),
        lease,
        created: BigInt(create_revision),
      }));
    },
  };
}

/** The ids of those who hold a resource. */
export async function holdersOf(party: Coordinator, resource: string): Promise<string[]> {
  return (await party.inspect(resource, soon)).holders.map(({ id }) => id);
}

export function rawClient(url: string): Etcd3 {
  return new Etcd3({ hosts: hostsOf(url), faultHandling: { host: () => noop, global: noop } });
}

/** `http://127.0.0.1:1234` and so on. */
export function hostsOf(url: string): string[] {
  return url
    .replace('etcd://', '')
    .split(',')
    .map((host) => `http://${host}`);
}

/** A client that writes down what it is asked. */
export class RecordingClient implements EtcdClient {
  readonly transactions: Transaction[] = [];
  keepAlives = 0;
  leases = 0;
  watches = 0;
  /** The leases that it was given. */
  readonly granted: string[] = [];
  readonly #client: Etcd3;

  constructor(url: string) {
    this.#client = rawClient(url);
  }

  readonly kv: EtcdClient['kv'] = {
    txn: (request, options) => {
      this.transactions.push(request);
      return (this.#client as EtcdClient).kv.txn(request, options);
    },
  };

  readonly leaseClient: EtcdClient['leaseClient'] = {
    leaseGrant: (request, options) => {
      this.leases++;
      const granted = this.#client.leaseClient.leaseGrant(request, options);
      granted.then(
        ({ ID }) => this.granted.push(ID),
        () => {},
      );
      return granted;
    },
    leaseRevoke: (request, options) => this.#client.leaseClient.leaseRevoke(request, options),
    leaseTimeToLive: (request, options) => this.#client.leaseClient.leaseTimeToLive(request, options),
    leaseKeepAlive: (options) => {
      this.keepAlives++;
      return this.#client.leaseClient.leaseKeepAlive(options);
    },
  };

  readonly watchClient: EtcdClient['watchClient'] = {
    watch: () => {
      this.watches++;
      return (this.#client as EtcdClient).watchClient.watch();
    },
  };

  /** Transactions that may write. */
  get writes(): number {
    return this.transactions.filter((request) => operationsOf(request).some(writes)).length;
  }

  forget(): void {
    this.transactions.length = 0;
    this.keepAlives = 0;
    this.leases = 0;
    this.watches = 0;
  }

  close(): void {
    this.#client.close();
  }
}

export function operationsOf({ success = [], failure = [] }: Transaction) {
  return [...success, ...failure];
}

function writes(operation: object): boolean {
  return !('request_range' in operation);
}
