import { ZooKeeperError } from './error.js';
import { mode } from './packets.js';
import type { Requests } from './requests.js';
import type { Stat } from './wire.js';

export const nothing = Buffer.alloc(0);

/** Makes a node that stays, and those above it, unless they are there. */
export async function makeNode(requests: Requests, path: string, data = nothing): Promise<void> {
  try {
    if ((await requests.create(path, data, mode.persistent)) !== undefined) return;
    const above = path.slice(0, path.lastIndexOf('/'));
    if (above === '') throw new ZooKeeperError('NO_NODE');
    await makeNode(requests, above);
    await makeNode(requests, path, data);
  } catch (error) {
    if (!(error instanceof ZooKeeperError && error.reason === 'NODE_EXISTS')) throw error;
  }
}

/** All answers of a flight; when one is missing, the first reason, but only after all have come or failed. */
export async function flight<T extends readonly unknown[]>(
  requests: readonly [...{ [K in keyof T]: Promise<T[K]> }],
): Promise<T> {
  if (requests.length === 1) return [await requests[0]] as unknown as T;
  try {
    return (await Promise.all(requests as readonly Promise<unknown>[])) as unknown as T;
  } catch (error) {
    await Promise.allSettled(requests as readonly Promise<unknown>[]);
    throw error;
  }
}

/** Removes what is not wanted any more. It is no harm if that fails: whoever sees it next does it. */
export function tidy(requests: Requests, paths: readonly string[]): void {
  for (const path of paths) requests.remove(path).catch(() => {});
}

export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** The session that a node ends with; nothing when it is not there. */
export async function ownerOf(requests: Requests, path: string): Promise<bigint | undefined> {
  return (await requests.stat(path))?.ephemeralOwner;
}

/**
 * The fencing token: the transaction that made the node. They are counted over the whole ensemble, restarts and new
 * leaders included, and contenders are served in the order in which they were made.
 */
export function tokenOf({ czxid }: Stat): bigint {
  return czxid;
}
