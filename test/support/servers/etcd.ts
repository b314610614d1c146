import { basename, join } from 'node:path';
import { makeCertificate } from './certificate.js';
import { temporaryFolder } from './folders.js';
import { freePorts } from './ports.js';
import { locate, programs } from './programs.js';
import { Ensemble, SingleServer, startAll } from './server.js';

export interface EtcdOptions {
  /** Speaks TLS only, to clients that have its own certificate too: `cert.pem` and `key.pem` in its folder. Default: false. */
  readonly tls?: boolean;
}

/** One etcd. What it has acknowledged outlives a kill and a restart. */
export async function startEtcd(options: EtcdOptions = {}): Promise<SingleServer> {
  const [server] = await etcdServers(1, options);
  return server!.start();
}

/** Three nodes of etcd. */
export async function startEtcdCluster(): Promise<Ensemble> {
  const nodes = await startAll(await etcdServers(3));
  return new Ensemble(`etcd://${nodes.map(({ port }) => `127.0.0.1:${port}`).join(',')}`, nodes);
}

async function etcdServers(count: number, { tls = false }: EtcdOptions = {}): Promise<SingleServer[]> {
  const program = locate(programs.etcd);
  const ports = await freePorts(count);
  const peers = (await freePorts(count)).map((port) => `http://127.0.0.1:${port}`);
  const folders = await Promise.all(ports.map(() => temporaryFolder('etcd')));
  const health = (await freePorts(count)).map((port) => `http://127.0.0.1:${port}`);
  if (tls) await Promise.all(folders.map(makeCertificate));
  const cluster = peers.map((peer, index) => `node${index}=${peer}`).join(',');
  return ports.map((port, index) => {
    const folder = folders[index]!;
    const client = `${tls ? 'https' : 'http'}://127.0.0.1:${port}`;
    const args = Object.entries({
      name: `node${index}`,
      'data-dir': join(folder, 'data'),
      'listen-client-urls': client,
      'advertise-client-urls': client,
      'listen-peer-urls': peers[index],
      'initial-advertise-peer-urls': peers[index],
      'initial-cluster': cluster,
      'initial-cluster-token': basename(folders[0]!),
      'listen-metrics-urls': health[index],
      ...(tls && tlsFlags(folder!)),
      logger: 'zap',
      'log-level': 'error',
    }).map(([name, value]) => `--${name}=${value}`);
    return new SingleServer({
      url: `${tls ? 'etcds' : 'etcd'}://127.0.0.1:${port}`,
      port,
      folder,
      command: { program, args, cwd: folder },
      isReady: () => isHealthy(health[index]!),
    });
  });
}

function tlsFlags(folder: string): Record<string, string | boolean> {
  const certificate = join(folder, 'cert.pem');
  return {
    'cert-file': certificate,
    'key-file': join(folder, 'key.pem'),
    'trusted-ca-file': certificate,
    'client-cert-auth': true,
  };
}

async function isHealthy(url: string): Promise<boolean> {
  const answer = await fetch(`${url}/health`, { signal: AbortSignal.timeout(2_000) });
  const { health } = (await answer.json()) as { health?: string };
  return health === 'true';
}
