import { ConfigError } from '../../errors.js';
import type { Busy, Claim, Entered, EnterRequest, Grant, Queued, Renewal } from '../coordinator.js';
import type { Holder } from './holders.js';
import type { Resource } from './resource.js';

export type NextToken = () => bigint;

/**
 * One step into a resource: grants, a place, or neither.
 *
 * The invariant: a claim that holds nothing yet is granted only when nobody stands ahead of it, and its weight and those
 * of all holders together are within the capacity in force.
 */
export function enter(resource: Resource, request: EnterRequest, now: number, nextToken: NextToken): Entered {
  const alsoDeclared = resource.capacity.declare(request.capacity, now);
  const grants: Grant[] = [];
  for (const claim of request.claims) {
    const holder = heldAgain(resource, claim, request, now) ?? held(resource, claim, request, now, nextToken);
    if (!holder) break;
    grants.push({ id: claim.id, token: holder.token, lease: request.lease });
  }
  if (grants.length === 0) return refuse(resource, request, now);
  resource.wakeHead();
  const capacity = resource.capacity.inForce(request.capacity);
  if (alsoDeclared === undefined) return { kind: 'granted', grants, capacity };
  return { kind: 'granted', grants, capacity, alsoDeclared };
}

/** Starts a lease anew. False when the permit is not held any more. */
export function renew(resource: Resource, { id, lease, serves }: Renewal, now: number): boolean {
  const holder = resource.holders.get(id);
  if (!holder) return false;
  if (serves) holder.claim = { id, ...serves };
  extend(resource, holder, now + lease);
  return true;
}

function heldAgain(
  resource: Resource,
  claim: Claim,
  { lease }: EnterRequest,
  now: number,
): Holder | undefined {
  const holder = resource.holders.get(claim.id);
  if (holder) extend(resource, holder, now + lease);
  return holder;
}

function extend(resource: Resource, holder: Holder, until: number): void {
  holder.until = until;
  resource.lapsesAt(until);
}

function held(
  resource: Resource,
  claim: Claim,
  { weight, capacity, owner, lease }: EnterRequest,
  now: number,
  nextToken: NextToken,
): Holder | undefined {
  if (!resource.admits(claim.id, weight, resource.capacity.inForce(capacity))) return undefined;
  if (resource.endOfEarlierRun(claim) !== undefined) return undefined;
  resource.leave(claim.id);
  const until = now + lease;
  const holder: Holder = { claim, owner, weight, token: nextToken(), since: now, until, place: -1 };
  resource.hold(holder);
  return holder;
}

/** What the first claim is told when nothing was granted. */
function refuse(resource: Resource, request: EnterRequest, now: number): Queued | Busy {
  const [claim] = request.claims;
  const capacity = resource.capacity.inForce(request.capacity);
  const heavy = request.weight > capacity;
  const earlierRun = claim && resource.endOfEarlierRun(claim);
  const mayWait = request.line && !heavy && earlierRun === undefined;
  if (claim && mayWait) return queue(resource, claim, request, now);

  for (const { id } of request.claims) if (resource.leave(id)) resource.wakeHead();
  if (heavy) throw tooHeavy(resource.name, request.weight, capacity);
  const retryAfter = resource.retryAfter(now, resource.tail);
  if (earlierRun === undefined) return { kind: 'busy', retryAfter };
  return { kind: 'busy', retryAfter, ownUntil: Math.max(1, Math.ceil(earlierRun - now)) };
}

function queue(resource: Resource, claim: Claim, request: EnterRequest, now: number): Queued {
  const { owner, weight, capacity, placeLife } = request;
  const place = resource.line.get(claim.id) ?? resource.line.join(claim, owner, now);
  place.weight = weight;
  place.capacity = capacity;
  place.until = now + placeLife;
  resource.lapsesAt(place.until);
  const ahead = resource.line.ahead(place);
  return { kind: 'queued', ahead, retryAfter: resource.retryAfter(now, place.before) };
}

function tooHeavy(name: string, weight: number, capacity: number): ConfigError {
  return new ConfigError(
    `"${name}" has a capacity of ${capacity}, so a claim of weight ${weight} never fits into it`,
  );
}
