import { contendersOf, guidOf } from './contenders.js';
import { flight } from './nodes.js';
import type { Paths } from './paths.js';
import type { Session } from './session.js';

/** What there is of one claim, as paths. */
export interface Found {
  /** Contenders of a lock, first come first. */
  readonly locks: string[];
  /** Contenders in the queue of a semaphore, first come first. */
  readonly places: string[];
  readonly leases: string[];
}

const leasePattern = /^([0-9a-f]{32})(-\d+)?$/;

/** Whether a child is a lease of a semaphore, of kazoo's or of ours. */
export function isLease(name: string): boolean {
  return leasePattern.test(name);
}

/** The claim that a lease is of. A claim of weight 3 has `guid`, `guid-1` and `guid-2`. */
export function claimantOf(lease: string): string {
  return leasePattern.exec(lease)?.[1] ?? lease;
}

export function leaseNames(guid: string, weight: number): string[] {
  return Array.from({ length: weight }, (_, i) => (i === 0 ? guid : `${guid}-${i}`));
}

/** Looks for all nodes of a claim. One of another program is named by its node, as `inspect` shows it. */
export async function find({ requests }: Session, { base, queue }: Paths, id: string): Promise<Found> {
  const [, inBase = [], inQueue = []] = await flight([
    requests.sync(base),
    requests.list(base),
    requests.list(queue),
  ]);
  const guid = guidOf(id);
  const isIt = ({ who, name }: { who: string; name: string }) => who === guid || name === id;
  const contenders = contendersOf(inBase);
  const names = new Set(contenders.map(({ name }) => name));
  return {
    locks: contenders.filter(isIt).map(({ name }) => `${base}/${name}`),
    places: contendersOf(inQueue)
      .filter(isIt)
      .map(({ name }) => `${queue}/${name}`),
    leases: inBase
      .filter((name) => !names.has(name) && (claimantOf(name) === guid || name === id))
      .sort()
      .map((name) => `${base}/${name}`),
  };
}
