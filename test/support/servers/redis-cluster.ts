import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ask } from './ask.js';
import { temporaryFolder } from './folders.js';
import { freePorts } from './ports.js';
import { locate, programs } from './programs.js';
import { flags } from './redis.js';
import { Ensemble, SingleServer, startAll } from './server.js';

const masters = 3;
const slots = 16_384;

/** A Redis Cluster of three masters without replicas; what it has acknowledged outlives a kill and a restart. */
export async function startRedisCluster(): Promise<Ensemble> {
  const program = locate(programs.redis);
  const ports = await freePorts(masters);
  const buses = await freePorts(masters);
  const servers = ports.map(async (port, index) => {
    const folder = await temporaryFolder('redis-cluster');
    await writeFile(join(folder, 'nodes.conf'), topology(ports, buses, index));
    const args = flags({
      port,
      bind: '127.0.0.1',
      dir: folder,
      save: '',
      appendonly: 'yes',
      appendfsync: 'no',
      'cluster-enabled': 'yes',
      'cluster-config-file': 'nodes.conf',
      'cluster-port': buses[index]!,
      'cluster-node-timeout': 1_000,
    });
    return new SingleServer({
      url: `redis://127.0.0.1:${port}`,
      port,
      folder,
      command: { program, args, cwd: folder },
      isReady: () => isReady(port),
    });
  });
  const nodes = await startAll(await Promise.all(servers));
  return new Ensemble(`redis+cluster://${ports.map((port) => `127.0.0.1:${port}`).join(',')}`, nodes);
}

/** What a node would have written down after all had met: the slots of each, evenly. Saves the meeting. */
function topology(ports: readonly number[], buses: readonly number[], self: number): string {
  const nodes = ports.map((port, index) => {
    const id = String(index + 1).repeat(40);
    const roles = index === self ? 'myself,master' : 'master';
    const range = `${first(index)}-${first(index + 1) - 1}`;
    return `${id} 127.0.0.1:${port}@${buses[index]} ${roles} - 0 0 ${index + 1} connected ${range}`;
  });
  return [...nodes, `vars currentEpoch ${masters} lastVoteEpoch 0`, ''].join('\n');
}

const first = (index: number): number => Math.floor((index * slots) / masters);

/** A node says that the cluster is well before it has heard of the others, so those it can reach are counted too. */
async function isReady(port: number): Promise<boolean> {
  const info = await ask({ port, text: 'CLUSTER INFO\r\n', until: /cluster_size:\d+\r\n/ });
  if (!info.includes('cluster_state:ok')) return false;
  const nodes = await ask({ port, text: 'CLUSTER NODES\r\n', until: /\n\r\n/ });
  return !/fail|disconnected/.test(nodes);
}
