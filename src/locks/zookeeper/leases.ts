import type { OwnClaim } from './claim.js';
import { encodeFacts } from './facts.js';
import { leaseNames } from './find.js';
import { flight, nothing, tokenOf } from './nodes.js';
import { mode, type Operation } from './packets.js';
import { declare, type Pool } from './pool.js';
import type { Committed } from './requests.js';
import type { Step } from './step.js';

/**
 * Makes the leases of claims that there is room for, one transaction each, so that each has a token of its own. Every
 * transaction holds on to the place at the head of the queue, and the last gives it up: whoever was evicted from there
 * meanwhile gets nothing. All go in one flight. Returns the claims from the front that have their leases now; what the
 * others have is doubtful.
 */
export async function makeLeases(
  step: Step,
  claims: readonly OwnClaim[],
  place: string,
  pool: Pool,
): Promise<readonly OwnClaim[]> {
  const { requests } = step.session;
  const last = claims.length - 1;
  for (const claim of claims) claim.doubtful = true;
  const commits = claims.map((claim, i) => {
    const hold: Operation = i === last ? { remove: place } : { write: place, data: encodeFacts(claim.facts) };
    return requests.commit([...leaseOperations(step, claim), hold]);
  });
  const [answers] = await flight([flight(commits), declare(step, pool)]);
  const failed = answers.findIndex(({ done }) => !done);
  const made = failed === -1 ? claims : claims.slice(0, failed);
  if (failed > 0) await requests.remove(place);
  made.forEach((claim, i) => {
    holds(step, claim, answers[i] as Committed & { done: true });
  });
  return made;
}

/** To set the data of the first once more is what brings its token. */
function leaseOperations({ side }: Step, claim: OwnClaim): Operation[] {
  const data = encodeFacts(claim.facts);
  const [first, ...more] = leasesOf(claim) as [string, ...string[]];
  return [
    { create: first, data, mode: mode.ephemeral },
    ...(side.fencing ? [{ write: first, data }] : []),
    ...more.map((create) => ({ create, data: nothing, mode: mode.ephemeral })),
  ];
}

function leasesOf({ guid, paths, facts }: OwnClaim): string[] {
  return leaseNames(guid, facts.weight).map((name) => `${paths.base}/${name}`);
}

function holds({ side, request }: Step, claim: OwnClaim, { results }: Committed & { done: true }): void {
  const stat = results[1]?.stat;
  claim.doubtful = false;
  claim.nodes = leasesOf(claim);
  claim.version = side.fencing && stat ? stat.version : 0;
  if (side.fencing && stat) claim.token = tokenOf(stat);
  claim.state = 'permit';
  side.claims.extend(claim, request.lease);
  side.watches.remove(claim);
}
