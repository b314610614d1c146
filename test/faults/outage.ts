import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Peer, startScript } from '../support/peer.js';
import type { Server } from '../support/servers/index.js';
import { until } from '../support/until.js';
import { Fleet } from './fleet.js';
import { newName } from './side.js';

/** What was seen of a server that was gone for a while. */
export interface Outage {
  /** Whether a holder whose lease is longer than that kept its permit. */
  readonly longKept: boolean;
  /** After how many milliseconds one whose lease is shorter was told. */
  readonly shortToldMs: number;
  /** After how many milliseconds of the server's answering again everybody had been let in again. */
  readonly resumedMs: number;
  /** The largest share of a processor that a process used meanwhile. */
  readonly busiest: number;
  readonly violations: readonly string[];
}

/** Milliseconds. */
const shortLease = 2_000;

/**
 * Takes a server away from processes that hold and want permits, and gives it back. A rejection that nobody handles ends
 * its process, and then this rejects.
 */
export async function outage(server: Server, ms: number): Promise<Outage> {
  const capacities = { [newName()]: 1, [newName()]: 3 };
  const fleet = await new Fleet({ url: server.url, workers: 2, lease: shortLease, capacities }).start();
  await using long = await startHolder(server, 2 * ms + 10_000);
  await using short = await startHolder(server, shortLease);
  try {
    const processes = [long, short, ...fleet.members.map(({ peer }) => peer)];
    await server.kill();
    const gone = performance.now();
    const told = tells(short).then(() => performance.now() - gone);
    const before = await Promise.all(processes.map(processorMs));
    await sleep(ms);
    const after = await Promise.all(processes.map(processorMs));
    await server.restart();
    const back = performance.now();
    await fleet.goesOn(1);
    const resumedMs = performance.now() - back;
    const longKept = (await long.ask('check')) === 'still held';
    for (const peer of processes) if (!peer.running) throw new Error(`A process ended:\n${peer.output()}`);
    await fleet.end();
    return {
      longKept,
      shortToldMs: await told,
      resumedMs,
      busiest: Math.max(...after.map((now, i) => (now - before[i]!) / ms)),
      violations: fleet.violations,
    };
  } finally {
    await fleet.stop();
  }
}

async function startHolder(server: Server, lease: number): Promise<Peer> {
  const holder = await startScript(
    new URL('holder.ts', import.meta.url),
    server.url,
    newName(),
    String(lease),
  );
  await until(() => holder.unread[0]?.startsWith('held '));
  await holder.next();
  return holder;
}

/** Resolves when the holder has been told that its permit is lost. */
async function tells(holder: Peer): Promise<void> {
  const line = await holder.next();
  if (line !== 'told PermitLostError') throw new Error(`It was told something else: ${line}`);
}

/** Milliseconds that a process has used of processors so far. Linux tells hundredths of a second. */
async function processorMs({ pid }: Peer): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}
