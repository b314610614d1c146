import type { ClaimState, ResourceState } from '../coordinator.js';
import type { Resource } from './resource.js';
import type { Contender, Sight } from './sight.js';
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
  const [holders, waiting]: [ClaimState[], ClaimState[]] = [[], []];
  for (const { contender, held } of sight.survey()) {
    const state = stateOf(sight, contender, held, now, left.get(contender.lease) ?? 0);
    if (held) holders.push({ ...state, token: tokenOf(contender.created, contender.entry) });
    else waiting.push(state);
  }
  const capacity = override?.value ?? sight.contenders.findLast(({ entry }) => entry)?.entry?.capacity;
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

function stateOf(sight: Sight, contender: Contender, held: boolean, now: number, left: number): ClaimState {
  const id = sight.idOf(contender);
  const { entry, lease } = contender;
  if (!entry) {
    const owner = `lease ${BigInt(lease).toString(16)}`;
    return { id, owner, weight: sight.inForce(1), since: now, until: now + left, foreign: true };
  }
  const { owner, task, message, weight, since, placeLife } = entry;
  const life = held ? entry.lease : (placeLife ?? entry.lease);
  return {
    id,
    owner,
    ...(task !== undefined && { task }),
    ...(message !== undefined && { message }),
    weight,
    since,
    until: now + Math.min(left, life),
    foreign: false,
  };
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
