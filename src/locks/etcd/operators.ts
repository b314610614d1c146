import type { KeyValue, Put } from './client.js';
import type { Resource } from './resource.js';
import { secondsOf } from './sessions.js';
import { encodePause } from './settings.js';
import type { Site } from './site.js';
import type { TimeLeft } from './time-left.js';

/**
 * Stores a capacity, or takes it back. One that expires is tied to a lease of its own; if the process dies before it is
 * stored, that lease lapses without ever having meant anything.
 */
export async function setCapacity(
  site: Site,
  resource: Resource,
  capacity: number | undefined,
  expiresIn: number | undefined,
  time: TimeLeft,
): Promise<void> {
  const value = capacity === undefined ? undefined : Buffer.from(String(capacity));
  await store(site, resource.keys.capacity, value, expiresIn, time);
}

/** Stores a pause, or ends it. It ends by itself with its lease: within whole seconds, and no less than two. */
export async function pause(
  site: Site,
  resource: Resource,
  ms: number,
  reason: string | undefined,
  time: TimeLeft,
): Promise<void> {
  await store(site, resource.keys.pause, ms > 0 ? encodePause(ms, reason) : undefined, ms, time);
}

async function store(
  site: Site,
  key: Buffer,
  value: Buffer | undefined,
  lasts: number | undefined,
  time: TimeLeft,
): Promise<void> {
  const lease = value && lasts !== undefined ? await site.calls.grant(secondsOf(lasts), time.ms) : undefined;
  const before = value
    ? await put(site, { key, value, ...(lease && { lease: lease.id }) }, time)
    : await remove(site, key, time);
  // The lease of what was stored before has nothing to end any more.
  if (before && before.lease !== '0') await site.calls.revoke(before.lease, time.ms).catch(() => {});
}

async function put(site: Site, request: Put, time: TimeLeft): Promise<KeyValue | undefined> {
  const success = [{ request_put: { ...request, prev_kv: true } }];
  const { responses } = await site.calls.transact({ success }, time.ms);
  return responses[0]?.response_put?.prev_kv ?? undefined;
}

async function remove(site: Site, key: Buffer, time: TimeLeft): Promise<KeyValue | undefined> {
  const success = [{ request_delete_range: { key, prev_kv: true } }];
  const { responses } = await site.calls.transact({ success }, time.ms);
  return responses[0]?.response_delete_range?.prev_kvs?.[0];
}
