/** Processes that contend for permits in Redis and in etcd, while everything goes wrong */

import { Redis } from 'ioredis';
import { readFlags } from '../../bench/support/flags.js';
import { etcdClusterFaults, etcdFaults } from '../faults/etcd-faults.js';
import { lease } from '../faults/etcd-stage.js';
import { type Fault, faults } from '../faults/faults.js';
import { Fleet } from '../faults/fleet.js';
import { type FleetStage, fleetFaults, longFaults } from '../faults/fleet-faults.js';
import { playFaults } from '../faults/play.js';
import { type RedisStage, redisFaults } from '../faults/redis-faults.js';
import { rawClient } from '../locks/etcd-kit.js';
import {
  type Ensemble,
  type SingleServer,
  startEtcd,
  startEtcdCluster,
  startRedis,
  startRedisCluster,
} from '../support/servers/index.js';

const {
  faults: count,
  stage: which,
  only,
} = readFlags('Permits in Redis and in etcd, while everything goes wrong.', {
  faults: { default: 200, help: 'faults on each stage, one after the other' },
  stage: { default: '', help: 'only the stage of this name, or those whose name contains it' },
  only: { default: '', help: 'only faults whose name contains this' },
});
const capacities = { mutex: 1, 'other mutex': 1, semaphore: 3 };
const redis = { lease: 1_500, marker: 'evalsha' };

/** The clients of a cluster go round the proxies of its processes, so only servers and processes fail. */
const redisClusterFaults: Readonly<Record<string, Fault<FleetStage>>> = {
  'a server freezes': faults['a server freezes']!,
  'a server is killed': faults['a server is killed']!,
  'a process is stopped, and wakes': fleetFaults['a process is stopped, and wakes']!,
  'a process is killed': fleetFaults['a process is killed']!,
};

/** Goes through the faults in turn, and waits after each until every process has permits again. */
async function soak<S extends FleetStage>(
  title: string,
  server: { readonly url: string; readonly nodes: readonly SingleServer[] },
  faults: Readonly<Record<string, Fault<S>>>,
  { marker, more, clean, faultsLast, ...wanted }: Contested<S>,
): Promise<void> {
  const fleet = await new Fleet({ url: server.url, workers: 3, capacities, ...wanted }).start();
  const { nodes } = server;
  const stage = {
    fleet,
    nodes,
    sides: fleet.members,
    lease: faultsLast ?? wanted.lease,
    marker,
    ...more,
  } as unknown as S;
  await playFaults({ ...faults, ...longFaults }, { title, stage, load: fleet, clean, count, only });
  await fleet.stop();
}

interface Contested<S extends FleetStage> {
  readonly lease: number;
  /** Half as long as faults last at most, in milliseconds. Default: the lease. */
  readonly faultsLast?: number;
  readonly marker: string;
  readonly capacities?: Readonly<Record<string, number>>;
  readonly layout?: string;
  readonly rest?: number;
  readonly more?: Omit<S, keyof FleetStage>;
  clean(): Promise<boolean>;
}

async function soakRedis(title: string, layout: Partial<Contested<RedisStage>> = {}): Promise<void> {
  const server = await startRedis({ persist: true });
  const client = new Redis(server.url).on('error', () => {});
  const clean = async () => (await client.keys('*')).length === 0;
  const of = { url: server.url, nodes: [server] };
  await soak(title, of, redisFaults, { ...redis, more: { client }, clean, ...layout });
  client.disconnect();
  await server.stop();
}

async function soakRedisCluster(title: string): Promise<void> {
  const server = await startRedisCluster();
  const clients = server.nodes.map(({ url }) => new Redis(url).on('error', () => {}));
  const clean = async () => (await Promise.all(clients.map((one) => one.keys('*')))).flat().length === 0;
  await soak(title, server, redisClusterFaults, { ...redis, clean });
  for (const client of clients) client.disconnect();
  await server.stop();
}

async function soakEtcd(
  title: string,
  server: (SingleServer & { readonly nodes?: undefined }) | Ensemble,
  faults: typeof etcdFaults,
  leases: Pick<Contested<FleetStage>, 'lease' | 'faultsLast'> = { lease },
): Promise<void> {
  const raw = rawClient(server.url);
  const clean = async () => (await raw.getAll().prefix('lk/').keys()).length === 0;
  const nodes = server.nodes ?? [server];
  await soak(title, { url: server.url, nodes }, faults, { ...leases, marker: 'lk/', clean });
  raw.close();
  await server.stop();
}

/** A mutex that nobody stands in line for. */
const string = { layout: 'string', rest: 100, capacities: { mutex: 1, 'other mutex': 1 } };

/**
 * A leader that was frozen for longer than a lease may revoke it when it wakes, though others keep it alive by then: two may
 * hold at once, by no fault of ours (etcd 3.4.23 and 3.5.16). So of several servers leases outlast what happens to them.
 */
const longLeases = { lease: 5 * lease, faultsLast: lease };

const soaks: Readonly<Record<string, (title: string) => Promise<void>>> = {
  redis: (title) => soakRedis(title),
  'redis string': (title) => soakRedis(title, string),
  'redis cluster': soakRedisCluster,
  etcd: async (title) => soakEtcd(title, await startEtcd(), etcdFaults),
  'etcd cluster': async (title) => soakEtcd(title, await startEtcdCluster(), etcdClusterFaults, longLeases),
};

for (const [title, run] of Object.entries(soaks)) {
  if (which in soaks ? title === which : title.includes(which)) await run(title);
}
