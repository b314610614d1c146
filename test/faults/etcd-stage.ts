import { etcdCoordinator } from 'lockkeeper/etcd';
import { hostsOf } from '../locks/etcd-kit.js';
import type { Ensemble, SingleServer } from '../support/servers/index.js';
import { until } from '../support/until.js';
import { openSide, type Side } from './side.js';

/** Milliseconds: etcd knows no shorter one. */
export const lease = 2_000;

/** A process's worth of locks, all with leases of that length. */
export function startSide(server: { readonly url: string }): Promise<Side> {
  return openSide(server.url, etcdCoordinator, { '*': { lease } });
}

/** The one that leads. Waits until there is one. */
export async function leaderOf({ nodes }: Pick<Ensemble, 'nodes'>): Promise<SingleServer> {
  let leader: SingleServer | undefined;
  await until(async () => {
    for (const node of nodes) if (await leads(node).catch(() => false)) leader = node;
    return leader;
  }, 30_000);
  return leader!;
}

async function leads({ url }: SingleServer): Promise<boolean> {
  const { header, leader } = await ask(url, 'maintenance/status', {});
  return leader !== '0' && leader === header.member_id;
}

/** Makes etcd forget all that is past, which takes a while when that is much. */
export async function compact({ nodes }: Pick<Ensemble, 'nodes'>): Promise<void> {
  const { url } = nodes[0]!;
  const { header } = await ask(url, 'kv/range', { key: 'AA==' });
  await ask(url, 'kv/compaction', { revision: header.revision, physical: true }, 60_000);
}

/** What every etcd answers over HTTP, too. */
async function ask(url: string, what: string, request: object, timeoutMs = 2_000): Promise<any> {
  const [host] = hostsOf(url);
  const answer = await fetch(`${host}/v3/${what}`, {
    method: 'POST',
    body: JSON.stringify(request),
    signal: AbortSignal.timeout(timeoutMs),
  });
  return await answer.json();
}
