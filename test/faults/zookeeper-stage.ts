import { zookeeperCoordinator } from 'lockkeeper/zookeeper';
import { tickTime } from '../locks/zookeeper-kit.js';
import { ask } from '../support/servers/ask.js';
import type { Ensemble, Server, SingleServer } from '../support/servers/index.js';
import { until } from '../support/until.js';
import { openSide, type Side } from './side.js';

/** Milliseconds. */
export const lease = 1_500;

/** A process's worth of locks on the ensemble, all with leases of that length. */
export function startSide(
  server: Pick<Server, 'url'>,
  resources: Record<string, object> = {},
): Promise<Side> {
  const leased = Object.entries(resources).map(([name, options]) => [name, { lease, ...options }]);
  const open = (url: string) => zookeeperCoordinator(url, { tickTime });
  return openSide(server.url, open, { '*': { lease }, ...Object.fromEntries(leased) });
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
