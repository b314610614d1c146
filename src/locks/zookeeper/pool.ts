import type { Claim } from '../coordinator.js';
import type { OwnClaim } from './claim.js';
import { type Contender, contenderNames, contendersOf, warnOfManySequences } from './contenders.js';
import { decodeFacts, encodeFacts, isOurs } from './facts.js';
import { flight, makeNode } from './nodes.js';
import { isNote, type Notes, notesAmong } from './notes.js';
import { mode } from './packets.js';
import type { Node } from './requests.js';
import type { Step } from './step.js';

/** What was seen of a semaphore, all at once. */
export interface Pool {
  /** Who stands in its queue. */
  readonly contenders: readonly Contender[];
  readonly notes: Notes;
  /** The names of its leases: whatever is a child of its node, as kazoo counts. */
  readonly leases: readonly string[];
  /** Its node, as it was no later than these. Its data is the capacity that was declared. */
  readonly node: Node;
  /** The capacity in force. */
  readonly capacity: number;
  /** A lock is kept at the same node. */
  readonly isLock: boolean;
  /** Notes whose time is over, and those beside the leases, where kazoo would count them. */
  readonly litter: readonly string[];
}

/** How long a declared capacity is told to those who declare another, in milliseconds. */
const lately = 60_000;

/** Looks again. A claim that stood first when it looked last is told when there may be room. */
export async function look(step: Step, claim?: OwnClaim): Promise<Pool | undefined> {
  const { session, paths, side } = step;
  const { requests } = session;
  const isFirst = claim?.state === 'place' && claim.ahead === 0;
  const list = (watch: boolean) => requests.list(paths.base, watch);
  const [, inQueue, node, inBase] = await flight([
    requests.sync(paths.base),
    requests.list(paths.queue),
    requests.read(paths.base),
    isFirst ? side.watches.ask(claim, paths.base, list) : list(false),
  ]);
  return poolOf(step, inQueue, inBase, node);
}

/** Takes a place in the queue, and looks: nothing when the nodes were not there yet. */
export async function joinQueue(step: Step, claim: OwnClaim): Promise<Pool | undefined> {
  const { session, paths } = step;
  const { requests } = session;
  const [name] = contenderNames(claim.guid, 'lock');
  const data = encodeFacts({ ...claim.facts, waiting: step.request.placeLife });
  claim.doubtful = true;
  const asked = requests.together(
    () =>
      [
        requests.create(`${paths.queue}/${name}`, data, mode.ephemeralSequential),
        requests.list(paths.queue),
        requests.read(paths.base),
        requests.list(paths.base),
      ] as const,
  );
  const [place, inQueue, node, inBase] = await flight(asked);
  claim.doubtful = false;
  claim.nodes = place === undefined ? [] : [place];
  claim.version = 0;
  if (place !== undefined) warnOfManySequences(place);
  if (place === undefined || !node) {
    await makePool(step);
    return undefined;
  }
  return poolOf(step, inQueue, inBase, node);
}

/** With the capacity from its first moment on: kazoo takes a node without a number for one of any capacity. */
export async function makePool({ session: { requests }, paths, request }: Step): Promise<void> {
  await makeNode(requests, paths.base, Buffer.from(String(request.capacity)));
  await makeNode(requests, paths.queue);
}

function poolOf(
  { request, paths: { base, queue } }: Step,
  inQueue: readonly string[] | undefined,
  inBase: readonly string[] | undefined,
  node: Node | undefined,
): Pool | undefined {
  if (!inQueue || !inBase || !node) return undefined;
  const notes = notesAmong(inQueue);
  return {
    contenders: contendersOf(inQueue),
    notes,
    leases: inBase.filter((name) => !isNote(name)),
    node,
    capacity: notes.override?.capacity ?? request.capacity,
    isLock: contendersOf(inBase).length > 0,
    litter: [
      ...notes.over.map((name) => `${queue}/${name}`),
      ...inBase.filter(isNote).map((name) => `${base}/${name}`),
    ],
  };
}

/** Another capacity that was declared not long ago. The node's clock is the server's, and near enough. */
export function alsoDeclared({ node }: Pool, capacity: number): number | undefined {
  const number = declaredIn(node);
  if (number === undefined || number === capacity) return undefined;
  const ago = Date.now() - node.stat.mtime;
  return ago < lately ? number : undefined;
}

/** The number that kazoo compares with its own, once. */
export function declaredIn({ data }: Node): number | undefined {
  const text = data.toString().trim();
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

/**
 * For each claim that was delivered before: milliseconds until the lease of its message's earlier run ends. Reads what all
 * who hold have said, so it is asked only for those.
 */
export async function earlierRuns(
  { session, paths }: Step,
  claims: readonly Claim[],
  { leases }: Pool,
): Promise<ReadonlyMap<string, number>> {
  const ends = new Map<string, number>();
  const again = claims.filter(({ redelivered, message }) => redelivered && message !== undefined);
  if (again.length === 0) return ends;
  const nodes = await flight(leases.map((name) => session.requests.read(`${paths.base}/${name}`)));
  for (const node of nodes) {
    const facts = node && decodeFacts(node.data);
    if (!facts || !isOurs(facts)) continue;
    for (const { id, message } of again) {
      if (message !== facts.message || id === facts.id) continue;
      ends.set(id, Math.max(ends.get(id) ?? 0, facts.lease));
    }
  }
  return ends;
}
