import type { Renewal } from '../coordinator.js';
import { keyOf, type OwnClaim } from './claim.js';
import { contendersOf } from './contenders.js';
import { decodeFacts, encodeFacts, type Facts, isOurs } from './facts.js';
import { find } from './find.js';
import { flight, nameOf } from './nodes.js';
import type { Paths } from './paths.js';
import type { Session } from './session.js';
import type { Side } from './step.js';

interface Renewing {
  readonly side: Side;
  paths(resource: string): Paths;
  /** Some session: for claims that are not this side's. */
  any(): Promise<Session>;
  /** Milliseconds. */
  left(): number;
}

type Answer = 'kept' | 'lost';

/**
 * Renews each permit, all in one flight. A session keeps what was made in it for as long as the client is heard, so to see
 * that a permit's node is there renews it. Of which nothing is heard is left out; if nothing is heard at all, it rejects.
 */
export async function renewAll(
  permits: readonly Renewal[],
  renewing: Renewing,
): Promise<Map<string, Answer>> {
  const answers = new Map<string, Answer>();
  const renewals = permits.map(async (permit) => {
    const key = keyOf(permit);
    const answer = await renewing.side.claims.turn([key], () => renew(permit, key, renewing));
    answers.set(permit.id, answer);
  });
  const failed = (await Promise.allSettled(renewals)).find(({ status }) => status === 'rejected');
  if (failed && answers.size === 0) throw (failed as PromiseRejectedResult).reason;
  return answers;
}

async function renew(permit: Renewal, key: string, renewing: Renewing): Promise<Answer> {
  const claim = renewing.side.claims.get(key);
  if (!claim) return await renewOfAnother(permit, renewing);
  await claim.session.ready(renewing.left());
  if (claim.state === 'permit' && !claim.doubtful) return await renewOwn(claim, permit, renewing);
  return claim.state === 'place' ? await renewOfAnother(permit, renewing) : 'lost';
}

async function renewOwn(claim: OwnClaim, permit: Renewal, { side }: Renewing): Promise<Answer> {
  const { requests } = claim.session;
  const [node] = claim.nodes as readonly [string];
  const synced = requests.sync(node);
  const facts = renewed(claim.facts, permit);
  const changes = facts.lease !== claim.facts.lease || permit.serves !== undefined;
  const seen = changes ? requests.write(node, encodeFacts(facts)) : requests.stat(node);
  const [, stat] = await flight([synced, seen]);
  if (!stat) {
    side.watches.remove(claim);
    side.claims.forget(claim);
    return 'lost';
  }
  if (changes) claim.version = stat.version;
  claim.facts = facts;
  side.claims.extend(claim, permit.lease);
  return 'kept';
}

/** Another side's permit: it is told that its life begins anew, by its data. What only stands in line is no permit. */
async function renewOfAnother(permit: Renewal, renewing: Renewing): Promise<Answer> {
  const session = await renewing.any();
  const { requests } = session;
  const paths = renewing.paths(permit.resource);
  const { leases, locks } = await find(session, paths, permit.id);
  const path = leases[0] ?? locks[0];
  const node = path === undefined ? undefined : await requests.read(path);
  const facts = node && decodeFacts(node.data);
  if (path === undefined || !facts || !isOurs(facts) || facts.waiting !== undefined) return 'lost';
  if (leases.length === 0 && !(await isFirst(session, paths, path))) return 'lost';
  return (await requests.write(path, encodeFacts(renewed(facts, permit)))) ? 'kept' : 'lost';
}

async function isFirst({ requests }: Session, { base }: Paths, path: string): Promise<boolean> {
  const [first] = contendersOf((await requests.list(base)) ?? []);
  return first?.name === nameOf(path);
}

function renewed(facts: Facts, { lease, serves }: Renewal): Facts {
  if (!serves) return { ...facts, lease };
  const { task: _, message: __, ...rest } = facts;
  const { task, message } = serves;
  return { ...rest, lease, ...(task !== undefined && { task }), ...(message !== undefined && { message }) };
}
