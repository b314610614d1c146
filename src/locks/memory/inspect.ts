import type { ClaimState, ResourceState } from '../coordinator.js';
import type { Holder } from './holders.js';
import type { Place } from './line.js';
import type { Resource } from './resource.js';

/** What an operator sees. Instants are given by the wall clock as it is now. */
export function inspect(resource: Resource, now: number, wall: number): ResourceState {
  const date = (time: number) => Math.round(wall + time - now);
  const { name, paused } = resource;
  const { override, declared } = resource.capacity;
  const capacity = override?.capacity ?? declared;
  const rate = resource.rateState(now);
  return {
    resource: name,
    ...(capacity !== undefined && { capacity }),
    ...(override && { override: { capacity: override.capacity, ...timeLeft(override.until - now) } }),
    ...(paused && { paused: { until: date(paused.until), ...(paused.reason && { reason: paused.reason }) } }),
    holders: [...resource.holders].sort(byToken).map((holder) => ({
      ...claimState(holder, date),
      token: holder.token,
    })),
    waiting: [...resource.line].map((place) => claimState(place, date)),
    ...(rate && { rate }),
  };
}

/** Those first who have held it the longest. */
function byToken(one: Holder, other: Holder): number {
  return one.token < other.token ? -1 : 1;
}

function timeLeft(ms: number): { expiresIn?: number } {
  return Number.isFinite(ms) ? { expiresIn: Math.ceil(ms) } : {};
}

function claimState(of: Holder | Place, date: (time: number) => number): ClaimState {
  const { id, task, message } = of.claim;
  return {
    id,
    owner: of.owner,
    ...(task !== undefined && { task }),
    ...(message !== undefined && { message }),
    weight: of.weight,
    since: date(of.since),
    until: date(of.until),
    foreign: false,
  };
}
