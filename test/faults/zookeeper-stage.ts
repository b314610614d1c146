import { randomUUID } from 'node:crypto';
import { createLocks, type Locks } from 'lockkeeper';
import { zookeeperCoordinator } from 'lockkeeper/zookeeper';
import type { Coordinator } from '../../src/locks/coordinator.js';
import { tickTime } from '../locks/zookeeper-kit.js';
import { startProxy, type TcpProxy } from '../support/proxy.js';
import { ask } from '../support/servers/ask.js';
import type { Ensemble, Server, SingleServer } from '../support/servers/index.js';
import { until } from '../support/until.js';

/** Milliseconds. */
export const lease = 1_500;

/** A process's worth of locks, which reaches each server through a proxy of its own. */
export class Side {
  readonly proxies: readonly TcpProxy[];
  readonly coordinator: Coordinator;
  readonly locks: Locks;

  constructor(proxies: readonly TcpProxy[], coordinator: Coordinator, resources: Record<string, object>) {
    this.proxies = proxies;
    this.coordinator = coordinator;
    const leased = Object.entries(resources).map(([name, options]) => [name, { lease, ...options }]);
    this.locks = createLocks({ coordinator, resources: { '*': { lease }, ...Object.fromEntries(leased) } });
  }

  all(step: (proxy: TcpProxy) => unknown): void {
    for (const proxy of this.proxies) void step(proxy);
  }

  async close(): Promise<void> {
    await this.locks.close();
    await this.coordinator.close();
    this.all((proxy) => proxy.stop());
  }
}

export async function startSide(
  server: Pick<Server, 'url'>,
  resources: Record<string, object> = {},
): Promise<Side> {
  const ports = server.url.split(/[:,]/).map(Number).filter(Boolean);
  const proxies = await Promise.all(ports.map((port) => startProxy(port)));
  const hosts = proxies.map(({ port }) => `127.0.0.1:${port}`).join(',');
  return new Side(proxies, zookeeperCoordinator(`zk://${hosts}`, { tickTime }), resources);
}

export function newName(): string {
  return `fault-${randomUUID()}`;
}

/** Whether nothing is left of a resource, as another side sees it. */
export async function nothingLeft(coordinator: Coordinator, resource: string): Promise<boolean> {
  const { holders, waiting } = await coordinator.inspect(resource, { timeout: 2_000 });
  return holders.length + waiting.length === 0;
}

/** The one that leads. Waits until there is one. */
export async function leaderOf({ nodes }: Ensemble): Promise<SingleServer> {
  let leader: SingleServer | undefined;
  await until(async () => {
    for (const node of nodes) {
      const answer = await ask({ port: node.port, text: 'srvr' }).catch(() => '');
      if (answer.includes('Mode: leader')) leader = node;
    }
    return leader;
  }, 30_000);
  return leader!;
}
