import type { ClaimRef } from '../coordinator.js';
import { mostAtOnce } from './calls.js';
import type { Transaction } from './client.js';
import { deletion } from './deletions.js';
import type { Resource } from './resource.js';
import type { KeyUse } from './sight.js';
import type { Site } from './site.js';
import type { TimeLeft } from './time-left.js';

/** A key in the line of a resource. */
export interface KeyOf {
  readonly resource: Resource;
  readonly use: KeyUse;
}

/**
 * Gives claims back, of whatever resources: one transaction that deletes their keys. A claim that is not known here, or was
 * not answered for, is looked for first, in the line of its resource and nowhere else.
 *
 * It may be repeated as often as is liked, and late: a key that has the name of one that is gone is not touched.
 */
export async function leave(site: Site, claims: readonly ClaimRef[], time: TimeLeft): Promise<void> {
  const keys: KeyOf[] = [];
  const unknown: ClaimRef[] = [];
  for (const ref of claims) {
    const resource = site.book.find(ref.resource);
    const claim = resource?.claims.get(ref.id);
    if (claim) {
      claim.leaving = true;
      site.mayBePutYet(claim);
    }
    if (resource && claim && claim.created > 0)
      keys.push({ resource, use: { key: claim.key, created: claim.created } });
    else unknown.push(ref);
  }
  const known = removeKeys(site, keys, time);
  if (unknown.length === 0) return await known;
  await Promise.all([known, leaveAllUnknown(site, unknown, time)]);
}

async function leaveAllUnknown(site: Site, claims: readonly ClaimRef[], time: TimeLeft): Promise<void> {
  const ids = new Map<string, string[]>();
  for (const { resource, id } of claims) ids.set(resource, [...(ids.get(resource) ?? []), id]);
  await Promise.all([...ids].map(([name, ids]) => leaveUnknown(site, name, ids, time)));
}

async function leaveUnknown(site: Site, name: string, ids: readonly string[], time: TimeLeft): Promise<void> {
  await site.book.step(name, async (resource) => {
    const sight = await site.look(resource, time.ms);
    const there = sight.all(ids).map((use) => ({ resource, use }));
    await removeKeys(site, there, time);
    for (const id of ids) {
      const claim = resource.claims.get(id);
      if (claim?.leaving) resource.drop(claim);
    }
  });
}

/** Deletes keys. Those that are gone are no error. */
export async function removeKeys(site: Site, keys: readonly KeyOf[], time: TimeLeft): Promise<void> {
  for (let i = 0; i < keys.length; i += mostAtOnce) {
    const some = keys.slice(i, i + mostAtOnce);
    await site.calls.transact(deletionOf(some), time.ms);
    for (const { resource, use } of some) {
      resource.removed(use);
      site.watches.attend(resource);
      site.book.forgetIfIdle(resource);
    }
  }
}

function deletionOf(keys: readonly KeyOf[]): Transaction {
  const deletions = keys.map(({ use }) => deletion(use));
  const [first] = deletions;
  return deletions.length === 1 && first
    ? first
    : { success: deletions.map((request_txn) => ({ request_txn })) };
}

/** Takes a claim away from whoever has it. False when there is none. */
export async function evict(site: Site, { resource: name, id }: ClaimRef, time: TimeLeft): Promise<boolean> {
  return await site.book.step(name, async (resource) => {
    const sight = await site.look(resource, time.ms);
    let evicted = false;
    for (const contender of sight.all([id])) {
      const { succeeded } = await site.calls.transact(deletion(contender), time.ms);
      resource.sight?.left(contender);
      evicted ||= succeeded;
    }
    return evicted;
  });
}
