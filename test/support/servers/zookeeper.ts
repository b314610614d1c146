import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ask } from './ask.js';
import { temporaryFolder } from './folders.js';
import { freePorts } from './ports.js';
import type { Command } from './process.js';
import { locate, programs } from './programs.js';
import { Ensemble, SingleServer, startAll } from './server.js';

export interface ZooKeeperOptions {
  /** Milliseconds; sessions are ended at its multiples. Default: 250. */
  readonly tickTime?: number;
}

/** One ZooKeeper. What it has acknowledged outlives a kill and a restart. */
export async function startZooKeeper(options: ZooKeeperOptions = {}): Promise<SingleServer> {
  const [server] = await zooKeepers(1, options);
  return server!.start();
}

/** An ensemble of three. */
export async function startZooKeeperEnsemble(options: ZooKeeperOptions = {}): Promise<Ensemble> {
  const nodes = await startAll(await zooKeepers(3, options));
  return new Ensemble(`zk://${nodes.map(({ port }) => `127.0.0.1:${port}`).join(',')}`, nodes);
}

async function zooKeepers(count: number, { tickTime = 250 }: ZooKeeperOptions): Promise<SingleServer[]> {
  const ports = await freePorts(count);
  const quorumPorts = await freePorts(count);
  const electionPorts = await freePorts(count);
  const members = ports.map((_, i) => `server.${i + 1}=127.0.0.1:${quorumPorts[i]}:${electionPorts[i]}`);
  return Promise.all(
    ports.map(async (port, index) => {
      const folder = await temporaryFolder('zookeeper');
      await writeFile(join(folder, 'myid'), String(index + 1));
      const shared = count > 1 ? members : [];
      await writeFile(
        join(folder, 'zoo.cfg'),
        [...settings(folder, port, tickTime), ...shared, ''].join('\n'),
      );
      return new SingleServer({
        url: `zk://127.0.0.1:${port}`,
        port,
        folder,
        command: javaCommand(folder),
        isReady: () => serves(port),
      });
    }),
  );
}

function settings(folder: string, port: number, tickTime: number): string[] {
  return [
    `tickTime=${tickTime}`,
    'initLimit=40',
    'syncLimit=20',
    `dataDir=${folder}`,
    `clientPort=${port}`,
    'clientPortAddress=127.0.0.1',
    'admin.enableServer=false',
    '4lw.commands.whitelist=*',
    'maxClientCnxns=0',
    'minSessionTimeout=500',
    'maxSessionTimeout=120000',
    // What a killed process has written is in the system's cache; only a power cut would lose it.
    'forceSync=no',
    'preAllocSize=1024',
  ];
}

/** By its class: Debian's scripts are for the one server of a machine. Little heap, quick to start, warnings to stderr. */
function javaCommand(folder: string): Command {
  const jar = locate(programs.zookeeper);
  const log = locate(programs.slf4j);
  const jvm = '-Xms16m -Xmx96m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xshare:auto';
  const properties = '-Dzookeeper.jmx.log4j.disable=true -Dorg.slf4j.simpleLogger.defaultLogLevel=warn';
  const main = 'org.apache.zookeeper.server.quorum.QuorumPeerMain';
  const args = [
    ...jvm.split(' '),
    ...properties.split(' '),
    '-cp',
    `${jar}:${log}`,
    main,
    join(folder, 'zoo.cfg'),
  ];
  return { program: locate(programs.java), args, cwd: folder };
}

async function serves(port: number): Promise<boolean> {
  return /Mode: (standalone|leader|follower)/.test(await ask({ port, text: 'srvr' }));
}
