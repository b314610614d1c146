import type { ClaimState, ResourceState } from '../coordinator.js';
import { type Entry, purpose } from './entry.js';
import type { Resource } from './resource.js';
import type { Contender } from './sight.js';
import type { Site } from './site.js';
import type { TimeLeft } from './time-left.js';
import { tokenOf } from './token.js';

/**
 * What an operator sees. When something ends is known by the lease that it is tied to, in whole seconds. When something
 * began is what its owner's clock said, for etcd keeps no times; of other programs' claims it is not known, so `since` is
 * the time of the look.
 */
export async function inspect(site: Site, resource: Resource, time: TimeLeft): Promise<ResourceState> {
  const sight = await site.look(resource, time.ms);
  const { capacity: override, pause } = sight.settings;
  const left = await timesLeft(site, [...sight.contenders, override, pause], time);
  const now = Math.round(site.clock.wall());
  const capacity = override?.value ?? sight.contenders.findLast(({ entry }) => entry)?.entry?.capacity;
  const [holders, waiting]: [ClaimState[], ClaimState[]] = [[], []];
  for (const { contender, held } of sight.survey()) {
    const life = left.get(contender.lease) ?? 0;
    const state = contender.entry
      ? ownState(contender.entry, held, now, life)
      : foreignState(sight.idOf(contender), contender, capacity, now, life);
    if (held) holders.push({ ...state, token: tokenOf(contender.created, contender.entry) });
    else waiting.push(state);
  }
  const expiresIn = override && left.get(override.lease);
  const until = now + (left.get(pause?.lease ?? '') ?? 0);
  return {
    resource: resource.name,
    ...(capacity !== undefined && { capacity }),
    ...(override && {
      override: { capacity: override.value, ...(expiresIn !== undefined && { expiresIn }) },
    }),
    ...(pause && { paused: { until, ...(pause.reason && { reason: pause.reason }) } }),
    holders,
    waiting,
  };
}

function ownState(entry: Entry, held: boolean, now: number, left: number): ClaimState {
  const { id, owner, task, message, weight, since, lease, placeLife = lease } = entry;
  const until = now + Math.min(left, held ? lease : placeLife);
  return { id, owner, ...purpose({ task, message }), weight, since, until, foreign: false };
}

/** It takes all there is. */
function foreignState(id: string, { lease }: Contender, capacity = 1, now: number, left: number): ClaimState {
  const owner = `lease ${BigInt(lease).toString(16)}`;
  return { id, owner, weight: capacity, since: now, until: now + left, foreign: true };
}

/** Milliseconds that leases have left, by their ids. */
async function timesLeft(
  site: Site,
  tied: readonly ({ readonly lease: string } | undefined)[],
  time: TimeLeft,
): Promise<Map<string, number>> {
  const leases = new Set(tied.map((of) => of?.lease ?? '0'));
  leases.delete('0');
  const asked = [...leases].map(async (lease): Promise<[string, number]> => {
    const { TTL } = await site.calls.lookAtLease(lease, time.ms);
    return [lease, Math.max(0, Number(TTL) * 1_000)];
  });
  return new Map(await Promise.all(asked));
}
