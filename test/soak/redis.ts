// Processes that contend for permits kept in Redis, while everything goes wrong: npm run soak -- redis [faults] [fault]
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { type Fault, oneOf, withNode } from '../faults/faults.js';
import { Fleet } from '../faults/fleet.js';
import { type RedisStage, redisFaults } from '../faults/redis-faults.js';
import { type SingleServer, startRedis, startRedisCluster } from '../support/servers/index.js';
import { until } from '../support/until.js';

const capacities = { mutex: 1, 'other mutex': 1, semaphore: 3 };
/** Milliseconds. */
const lease = 1_500;
const [count = '200', only = ''] = process.argv.slice(2);

/** Goes through the faults in turn, and waits after each until every process has permits again. */
async function soak(
  what: string,
  { url, nodes }: { readonly url: string; readonly nodes: readonly SingleServer[] },
  faults: Readonly<Record<string, Fault<RedisStage>>>,
  times: number,
): Promise<number> {
  const clients = nodes.map((node) => new Redis(node.url).on('error', () => {}));
  const [client] = clients as [Redis];
  const fleet = await new Fleet({ url, workers: 3, lease, capacities }).start();
  const all = Object.entries(faults).filter(([name]) => name.includes(only));
  const tell = (done: number) => {
    const { acquisitions, violations } = fleet.referee;
    console.log(`${what}: ${acquisitions} acquisitions, ${done} faults, ${violations.length} violations`);
    return violations;
  };
  for (let i = 0; i < times; i++) {
    const [name, fault] = all[i % all.length]!;
    await fault({ fleet, client, nodes, sides: fleet.members, lease, marker: 'evalsha' });
    await fleet.goesOn().catch((error) => {
      throw new Error(`Not everybody is let in again after: ${name}`, { cause: error });
    });
    if (i % all.length === all.length - 1) tell(i + 1);
  }
  await fleet.end();
  const violations = tell(times);
  for (const violation of violations) console.log(violation);
  const left = async () => (await Promise.all(clients.map((one) => one.keys('*')))).flat().length;
  await until(async () => (await left()) === 0, 10_000).catch(() => {});
  console.log(
    `${what}: ${await left()} keys left; told instead of let in: ${JSON.stringify([...fleet.errors])}`,
  );
  const wrong = violations.length + (await left());
  for (const one of clients) one.disconnect();
  return wrong;
}

/** The clients of a cluster go round the proxies of its processes, so only servers and processes fail. */
const clusterFaults: Readonly<Record<string, Fault<RedisStage>>> = {
  'a server freezes': (stage) => withNode(stage, oneOf(stage.nodes), 'freeze'),
  'a server is killed': (stage) => withNode(stage, oneOf(stage.nodes), 'kill'),
  'a process is stopped, and wakes': redisFaults['a process is stopped, and wakes']!,
  'a process is killed': redisFaults['a process is killed']!,
  'all servers are gone for half a minute': async ({ nodes }) => {
    await Promise.all(nodes.map((node) => node.kill()));
    await sleep(30_000);
    await Promise.all(nodes.map((node) => node.restart()));
  },
};

const ofOne: typeof clusterFaults = {
  ...redisFaults,
  'the server is gone for half a minute': clusterFaults['all servers are gone for half a minute']!,
};

const half = Math.ceil(Number(count) / 2);
const one = await startRedis({ persist: true });
const cluster = await startRedisCluster();
const wrong =
  (await soak('one server', { url: one.url, nodes: [one] }, ofOne, half)) +
  (await soak('a cluster', cluster, clusterFaults, half));
await Promise.all([one.stop(), cluster.stop()]);
process.exitCode = wrong === 0 ? 0 : 1;
