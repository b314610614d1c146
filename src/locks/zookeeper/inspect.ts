import type { ClaimState, ResourceState } from '../coordinator.js';
import { contendersOf } from './contenders.js';
import { decodeFacts, isOurs } from './facts.js';
import { claimantOf } from './find.js';
import { flight, nameOf, tokenOf } from './nodes.js';
import { isNote, type Notes, notesAmong } from './notes.js';
import type { Paths } from './paths.js';
import { declaredIn } from './pool.js';
import type { Node, Requests } from './requests.js';
import type { Session } from './session.js';

type Found = Pick<ResourceState, 'holders' | 'waiting'>;

/** A claim as its first node tells of it. */
interface Seen {
  readonly state: ClaimState;
  readonly token: bigint;
  /** It stands in line, though it may be first. */
  readonly waits: boolean;
}

/** What an operator sees. Instants are by the clock of the leading server; those to come are by ours, and at the latest. */
export async function inspect({ requests }: Session, paths: Paths, fencing: boolean): Promise<ResourceState> {
  const { base, queue, resource } = paths;
  const [, inBase = [], inQueue = [], node] = await flight([
    requests.sync(base),
    requests.list(base),
    requests.list(queue),
    requests.read(base),
  ]);
  const isLock = contendersOf(inBase).length > 0;
  const notes = notesAmong([...inQueue, ...inBase]);
  const [reason, found] = await flight([
    reasonOf(requests, paths, notes),
    isLock
      ? lockState(requests, paths, inBase, fencing)
      : semaphoreState(requests, paths, { inBase, inQueue }, fencing),
  ]);
  const capacity = notes.override?.capacity ?? (isLock ? 1 : node && declaredIn(node));
  return { resource, ...(capacity !== undefined && { capacity }), ...noted(notes, reason), ...found };
}

function noted({ pause, override }: Notes, reason: string | undefined): Partial<ResourceState> {
  const expiresIn =
    override?.until === undefined ? {} : { expiresIn: Math.max(0, override.until - Date.now()) };
  return {
    ...(override && { override: { capacity: override.capacity, ...expiresIn } }),
    ...(pause && { paused: { until: pause.until, ...(reason && { reason }) } }),
  };
}

/** A note stands in the queue, or beside the contenders of a lock, or both. */
async function reasonOf(
  requests: Requests,
  { queue, base }: Paths,
  { pause }: Notes,
): Promise<string | undefined> {
  if (!pause) return undefined;
  const [one, other] = await flight([
    requests.read(`${queue}/${pause.name}`),
    requests.read(`${base}/${pause.name}`),
  ]);
  return (one ?? other)?.data.toString();
}

/** Whoever stands first holds, unless it says that it still waits. */
async function lockState(
  requests: Requests,
  { base }: Paths,
  children: readonly string[],
  fencing: boolean,
): Promise<Found> {
  const met = new Set<string>();
  const first = contendersOf(children).filter(({ who }) => !met.has(who) && met.add(who));
  const line = await see(
    requests,
    first.map(({ name }) => `${base}/${name}`),
  );
  const holding = line[0] && !line[0].waits ? 1 : 0;
  return {
    holders: line.slice(0, holding).map((seen) => holder(seen, 1, fencing)),
    waiting: line.slice(holding).map(({ state }) => state),
  };
}

async function semaphoreState(
  requests: Requests,
  { base, queue }: Paths,
  { inBase, inQueue }: { inBase: readonly string[]; inQueue: readonly string[] },
  fencing: boolean,
): Promise<Found> {
  const weights = new Map<string, number>();
  for (const name of inBase) {
    if (isNote(name)) continue;
    const claimant = claimantOf(name);
    weights.set(claimant, (weights.get(claimant) ?? 0) + 1);
  }
  const [held, waiting] = await flight([
    see(
      requests,
      [...weights.keys()].map((name) => `${base}/${name}`),
    ),
    see(
      requests,
      contendersOf(inQueue).map(({ name }) => `${queue}/${name}`),
    ),
  ]);
  const inOrder = held.sort((a, b) => (a.token < b.token ? -1 : 1));
  return {
    holders: inOrder.map((seen) => holder(seen, weights.get(nameOf(seen.path)) ?? 1, fencing)),
    waiting: waiting.map(({ state }) => state),
  };
}

function holder({ state, token }: Seen, weight: number, fencing: boolean): ClaimState {
  return { ...state, weight, ...(fencing && { token }) };
}

/** Those that are still there. */
async function see(
  requests: Requests,
  paths: readonly string[],
): Promise<(Seen & { readonly path: string })[]> {
  const nodes = await flight(paths.map((path) => requests.read(path)));
  return paths.flatMap((path, i) => {
    const node = nodes[i];
    return node ? [{ ...seenIn(node, nameOf(path)), path }] : [];
  });
}

function seenIn({ data, stat }: Node, name: string): Seen {
  const facts = decodeFacts(data);
  const made = stat.ctime;
  const token = tokenOf(stat);
  if (!isOurs(facts)) {
    const { owner } = facts;
    const until = Number.POSITIVE_INFINITY;
    return { state: { id: name, owner, weight: 1, since: made, until, foreign: true }, token, waits: false };
  }
  const { id, owner, task, message, weight, since, lease, waiting } = facts;
  const state: ClaimState = {
    id,
    owner,
    ...(task !== undefined && { task }),
    ...(message !== undefined && { message }),
    weight,
    since: since ?? made,
    until: Date.now() + (waiting ?? lease),
    foreign: false,
  };
  return { state, token, waits: waiting !== undefined };
}
