/** Servers that are gone for 3 s and for 30 s, and what becomes of those who hold and want permits. */
import { type Outage, outage } from '../faults/outage.js';
import { type Server, startEtcd, startEtcdCluster, startRedis } from '../support/servers/index.js';

const seconds = [3, 30];
const kinds: Readonly<Record<string, () => Promise<Server>>> = {
  redis: () => startRedis({ persist: true }),
  etcd: () => startEtcd(),
  'etcd cluster': startEtcdCluster,
};

function isAsPromised({ longKept, shortToldMs, resumedMs, busiest, violations }: Outage): boolean {
  return longKept && shortToldMs < 2_000 && resumedMs < 5_000 && busiest < 0.25 && violations.length === 0;
}

for (const [kind, start] of Object.entries(kinds)) {
  const server = await start();
  for (const s of seconds) {
    const seen = await outage(server, s * 1_000);
    const { longKept, shortToldMs, resumedMs, busiest, violations } = seen;
    console.log(
      `${kind} gone for ${s} s: the long lease ${longKept ? 'was kept' : 'was LOST'}, the short one was told after ` +
        `${shortToldMs.toFixed(0)} ms; all were let in again ${resumedMs.toFixed(0)} ms after it was back; ` +
        `${(100 * busiest).toFixed(1)} % of a processor at most; ${violations.length} violations`,
    );
    if (!isAsPromised(seen)) process.exitCode = 1;
  }
  await server.stop();
}
