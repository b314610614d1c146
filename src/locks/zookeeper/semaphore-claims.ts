import type { Entered } from '../coordinator.js';
import type { OwnClaim } from './claim.js';
import { findNodes, withdraw } from './claims.js';
import { decodeFacts, encodeFacts, isOurs } from './facts.js';
import { claimantOf } from './find.js';
import { flight, ownerOf, tokenOf } from './nodes.js';
import type { Pool } from './pool.js';
import type { Step } from './step.js';

/** What to make of nodes of a claim that were not known to be there. */

/** An answer was lost. If there are leases it is held; of several places the first counts. */
export async function settleSemaphore(step: Step, claim: OwnClaim): Promise<void> {
  const { requests } = claim.session;
  const { leases, places } = await findNodes(claim);
  claim.doubtful = true;
  const held = leases.length === claim.facts.weight;
  claim.nodes = held ? leases : places.slice(0, 1);
  const rest = [...places, ...leases].filter((path) => !claim.nodes.includes(path));
  await flight(rest.map((path) => requests.remove(path)));
  const stat = held ? await requests.stat(leases[0] as string) : undefined;
  claim.state = held ? 'permit' : 'asked';
  claim.doubtful = false;
  if (!stat) return;
  claim.version = stat.version;
  if (step.side.fencing) claim.token = tokenOf(stat);
  step.side.claims.extend(claim, step.request.lease);
}

/** A lease that bears the claim's name, and that nobody here knows of. */
export async function takeOverLease(step: Step, claim: OwnClaim, pool: Pool): Promise<Entered | undefined> {
  const { session, side, paths, request } = step;
  const { requests } = session;
  const path = `${paths.base}/${claim.guid}`;
  const owner = await ownerOf(requests, path);
  if (owner === undefined) return undefined;
  if (owner === session.id) {
    claim.doubtful = true;
    return undefined;
  }
  if (side.isFormer(owner)) {
    const all = pool.leases.filter((name) => claimantOf(name) === claim.guid);
    await flight(all.map((name) => requests.remove(`${paths.base}/${name}`)));
    return undefined;
  }
  // Another side's, which goes on keeping it: its life begins anew when its data is set.
  await withdraw(claim);
  const node = await requests.read(path);
  const facts = node && decodeFacts(node.data);
  if (!facts || !isOurs(facts)) return undefined;
  const stat = await requests.write(path, encodeFacts({ ...facts, lease: request.lease }));
  if (!stat) return undefined;
  const token = side.fencing ? { token: tokenOf(stat) } : {};
  const grants = [{ id: facts.id, ...token, lease: request.lease }];
  return { kind: 'granted', grants, capacity: pool.capacity };
}

/** The path of the place that counts: the claim's own, unless another side has one for it. */
export async function settlePlace(step: Step, claim: OwnClaim, pool: Pool): Promise<string | undefined> {
  const { session, side, paths } = step;
  const { requests } = session;
  const own = claim.nodes[0];
  const places = pool.contenders
    .filter(({ who }) => who === claim.guid)
    .map(({ name }) => `${paths.queue}/${name}`);
  const other = places.find((path) => path !== own);
  if (other === undefined) {
    if (places.length === 0) claim.nodes = [];
    return places[0];
  }
  const owner = await ownerOf(requests, other);
  if (owner === session.id) claim.doubtful = true;
  else if (owner === undefined || side.isFormer(owner)) await requests.remove(other);
  else if (own === undefined) return other;
  else {
    await withdraw(claim);
    return other;
  }
  return undefined;
}
