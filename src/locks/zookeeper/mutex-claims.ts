import type { Entered } from '../coordinator.js';
import type { OwnClaim } from './claim.js';
import { findNodes, withdraw } from './claims.js';
import { type Contender, claimsAhead, contenderNames } from './contenders.js';
import { decodeFacts, encodeFacts, isOurs } from './facts.js';
import type { LockLayout } from './layout.js';
import { flight, nameOf, ownerOf, tokenOf } from './nodes.js';
import type { Notes } from './notes.js';
import { busy, retryAfter, type Step } from './step.js';

/** What was seen of the line. */
export interface Line {
  readonly contenders: readonly Contender[];
  readonly notes: Notes;
  /** There are leases of a semaphore. */
  readonly leases: boolean;
}

/** Whoever stands first holds, and is no place, unless nothing is granted now. */
export function placesAhead({ contenders, notes }: Omit<Line, 'leases'>, name: string | undefined): number {
  return Math.max(0, claimsAhead(contenders, name) - (notes.pause ? 0 : 1));
}

/** An answer was lost, or was not heard of before a session ended. Of several nodes the first counts. */
export async function settleMutex(claim: OwnClaim, layout: LockLayout): Promise<void> {
  const { locks } = await findNodes(claim);
  const count = contenderNames(claim.guid, layout).length;
  const { requests } = claim.session;
  await flight(locks.slice(count).map((path) => requests.remove(path)));
  claim.nodes = locks.slice(0, count);
  claim.token = undefined;
}

/** A node of this claim that another session has made: of another side, or one of ours that is over. */
export async function joinTwin(
  step: Step,
  claim: OwnClaim,
  { name }: Contender,
  line: Line,
): Promise<Entered | undefined> {
  const { session, side, paths } = step;
  const path = `${paths.base}/${name}`;
  const owner = await ownerOf(session.requests, path);
  if (owner === session.id) claim.doubtful = true;
  else if (owner === undefined || side.isFormer(owner)) await session.requests.remove(path);
  else return await ofAnother(step, claim, path, line);
  return undefined;
}

/** Another side asked for this claim. Its node is the one that counts, and its life begins anew when its data is set. */
async function ofAnother(
  step: Step,
  claim: OwnClaim,
  path: string,
  line: Line,
): Promise<Entered | undefined> {
  const { session, request } = step;
  const own = claim.nodes.map(nameOf);
  await withdraw(claim);
  const node = await session.requests.read(path);
  const facts = node && decodeFacts(node.data);
  if (!facts || !isOurs(facts)) return undefined;
  const { waiting, ...held } = facts;
  const rest = line.contenders.filter(({ name }) => !own.includes(name));
  const ahead = claimsAhead(rest, nameOf(path));
  const grants = ahead === 0 && !(waiting !== undefined && line.notes.pause);
  if (!grants && !request.line) return busy(line.notes);
  const data = encodeFacts({ ...(grants ? held : facts), lease: request.lease });
  const stat = await session.requests.write(path, data);
  if (!stat) return undefined;
  if (!grants) {
    const places = placesAhead({ contenders: rest, notes: line.notes }, nameOf(path));
    return { kind: 'queued', ahead: places, retryAfter: retryAfter(line.notes) };
  }
  const token = step.side.fencing ? { token: tokenOf(stat) } : {};
  return { kind: 'granted', grants: [{ id: facts.id, ...token, lease: request.lease }], capacity: 1 };
}
