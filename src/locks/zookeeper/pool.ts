import type { Claim } from '../coordinator.js';
import type { OwnClaim } from './claim.js';
import { type Contender, contenderNames, contendersOf, warnOfManySequences } from './contenders.js';
import { decodeFacts, encodeFacts, isOurs } from './facts.js';
import { flight, makeNode } from './nodes.js';
import { isNote, type Notes, notesAmong } from './notes.js';
import { mode } from './packets.js';
import type { Listed, Node } from './requests.js';
import type { Step } from './step.js';

/** What was seen of a semaphore, all at once. */
export interface Pool {
  /** Who stands in its queue. */
  readonly contenders: readonly Contender[];
  readonly notes: Notes;
  /** The names of its leases: whatever is a child of its node, as kazoo counts. */
  readonly leases: readonly string[];
  /** How often these had come and gone. */
  readonly changes: number;
  readonly declared: Declared;
  /** The capacity in force. */
  readonly capacity: number;
  /** A lock is kept at the same node. */
  readonly isLock: boolean;
  /** Notes whose time is over, and those beside the leases, where kazoo would count them. */
  readonly litter: readonly string[];
}

/** What the data of its node says. */
export interface Declared {
  /** The transaction that set it. */
  readonly zxid: bigint;
  /** Milliseconds since 1970, by the clock of the leading server. */
  readonly at: number;
  /** The number that kazoo compares with its own, once. */
  readonly capacity: number | undefined;
}

/** How long a declared capacity is told to those who declare another, in milliseconds. */
const lately = 60_000;

/** Looks again. A claim that stood first when it looked last is told when there may be room. */
export async function look(step: Step, claim?: OwnClaim): Promise<Pool | undefined> {
  const { session, paths, side } = step;
  const { requests } = session;
  const isFirst = claim?.state === 'place' && claim.ahead === 0;
  const list = (watch: boolean) => requests.listTold(paths.base, watch);
  const [, inQueue, inBase, declared] = await flight([
    requests.sync(paths.base),
    requests.list(paths.queue),
    isFirst ? side.watches.ask(claim, paths.base, list) : list(false),
    lastDeclared(step),
  ]);
  return await poolOf(step, inQueue, inBase, declared);
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
        requests.listTold(paths.base),
        lastDeclared(step),
      ] as const,
  );
  const [place, inQueue, inBase, declared] = await flight(asked);
  claim.doubtful = false;
  claim.nodes = place === undefined ? [] : [place];
  claim.version = 0;
  if (place !== undefined) warnOfManySequences(place);
  if (place === undefined || !inBase) {
    await makePool(step);
    return undefined;
  }
  return await poolOf(step, inQueue, inBase, declared);
}

/** With the capacity from its first moment on: kazoo takes a node without a number for one of any capacity. */
export async function makePool({ session: { requests }, paths, request }: Step): Promise<void> {
  await makeNode(requests, paths.base, Buffer.from(String(request.capacity)));
  await makeNode(requests, paths.queue);
}

async function poolOf(
  step: Step,
  inQueue: readonly string[] | undefined,
  inBase: Listed | undefined,
  lastDeclared: Declared | undefined,
): Promise<Pool | undefined> {
  if (!inQueue || !inBase) return undefined;
  const { names, stat } = inBase;
  const declared = lastDeclared?.zxid === stat.mzxid ? lastDeclared : await readDeclared(step);
  if (!declared) return undefined;
  const { base, queue } = step.paths;
  const notes = notesAmong(inQueue);
  return {
    contenders: contendersOf(inQueue),
    notes,
    leases: names.filter((name) => !isNote(name)),
    changes: stat.cversion,
    declared,
    capacity: notes.override?.capacity ?? step.request.capacity,
    isLock: contendersOf(names).length > 0,
    litter: [
      ...notes.over.map((name) => `${queue}/${name}`),
      ...names.filter(isNote).map((name) => `${base}/${name}`),
    ],
  };
}

/** The data is read only when it is not known. Whoever lists the leases is told which transaction set it last. */
async function lastDeclared(step: Step): Promise<Declared | undefined> {
  return step.side.declared.get(step.paths.base) ?? (await readDeclared(step));
}

async function readDeclared({ session, paths, side }: Step): Promise<Declared | undefined> {
  const node = await session.requests.read(paths.base);
  if (!node) return undefined;
  const { mzxid, mtime } = node.stat;
  const declared = { zxid: mzxid, at: mtime, capacity: declaredIn(node) };
  side.declared.set(paths.base, declared);
  return declared;
}

/** Another capacity that was declared not long ago. The node's clock is the server's, and near enough. */
export function alsoDeclared({ declared }: Pool, capacity: number): number | undefined {
  const { capacity: other, at } = declared;
  if (other === undefined || other === capacity) return undefined;
  return Date.now() - at < lately ? other : undefined;
}

/** The number at the node is the one that was declared last. */
export async function declare({ session, paths, request, side }: Step, { declared }: Pool): Promise<void> {
  const { capacity } = request;
  if (declared.capacity === capacity) return;
  const stat = await session.requests.write(paths.base, Buffer.from(String(capacity)));
  if (stat) side.declared.set(paths.base, { zxid: stat.mzxid, at: stat.mtime, capacity });
}

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
