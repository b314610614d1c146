import { ConfigError } from '../../errors.js';
import type { Busy, Claim, EnterRequest, Grant, Granted } from '../coordinator.js';
import type { Contender, Sight } from './sight.js';
import type { Site } from './site.js';
import type { TimeLeft } from './time-left.js';

/** Throws when a claim of this weight can never be let in. */
export function checkWeight(sight: Sight, { resource, weight, capacity }: EnterRequest): void {
  const inForce = sight.inForce(capacity);
  if (weight <= inForce) return;
  throw new ConfigError(
    `"${resource}" has a capacity of ${inForce}, so a claim of weight ${weight} never fits into it`,
  );
}

export function granted(sight: Sight, request: EnterRequest, grants: readonly Grant[]): Granted {
  const alsoDeclared = sight.otherDeclared(request.capacity);
  const answer: Granted = { kind: 'granted', grants, capacity: sight.inForce(request.capacity) };
  return alsoDeclared === undefined ? answer : { ...answer, alsoDeclared };
}

/** What a claim is told that is not let in. */
export async function busy(
  site: Site,
  sight: Sight,
  claim: Claim | undefined,
  time: TimeLeft,
): Promise<Busy> {
  const retryAfter = sight.retryAfter();
  const earlier = claim && sight.earlierRun(claim);
  if (!earlier) return { kind: 'busy', retryAfter };
  return { kind: 'busy', retryAfter, ownUntil: await untilItEnds(site, earlier, time) };
}

/** Milliseconds until a permit's lease ends, unless it is renewed. etcd tells whole seconds, rounded down. */
async function untilItEnds(site: Site, { lease, entry }: Contender, time: TimeLeft): Promise<number> {
  const { TTL } = await site.calls.lookAtLease(lease, time.ms);
  const left = (Number(TTL) + 1) * 1_000;
  return Math.max(1, Math.min(left, entry?.lease ?? left));
}
