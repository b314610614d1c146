import { randomUUID } from 'node:crypto';
import { ConfigError } from '../../errors.js';
import { contendersOf } from './contenders.js';
import { decodeFacts, isOurs } from './facts.js';
import { find } from './find.js';
import { flight, makeNode, nothing } from './nodes.js';
import { capacityNote, isCapacityNote, isPauseNote, pauseNote } from './notes.js';
import { mode } from './packets.js';
import type { Paths } from './paths.js';
import { declaredIn } from './pool.js';
import type { Committed, Requests } from './requests.js';
import type { Session } from './session.js';

/** Takes all that a claim has. False when it has nothing. */
export async function evict(session: Session, paths: Paths, id: string): Promise<boolean> {
  const { locks, places, leases } = await find(session, paths, id);
  const { requests } = session;
  const removed = await flight([...locks, ...places, ...leases].map((path) => requests.remove(path)));
  return removed.includes(true);
}

/** Notes what the capacity is, for all who stand in line to see, and sends those away who do not fit any more. */
export async function setCapacity(
  { requests }: Session,
  paths: Paths,
  capacity: number | undefined,
  expiresIn?: number,
): Promise<void> {
  await requests.sync(paths.base);
  if (capacity !== undefined && capacity !== 1) await mustNotBeLock(requests, paths);
  const until = expiresIn === undefined ? undefined : Date.now() + expiresIn;
  const note = capacity === undefined ? undefined : { name: capacityNote(capacity, until), data: '' };
  await replaceNotes(requests, paths.queue, isCapacityNote, note);
  await sendAway(requests, paths, capacity);
  await poke(requests, paths);
}

async function mustNotBeLock(requests: Requests, { base, resource }: Paths): Promise<void> {
  const contenders = contendersOf((await requests.list(base)) ?? []);
  if (contenders.length === 0) return;
  throw new ConfigError(`"${resource}" is in use as a lock, which has a capacity of 1: declare it with one`);
}

/** A place that no longer fits would block the line. Its owner is told why when it asks again. */
async function sendAway(requests: Requests, { queue }: Paths, capacity: number | undefined): Promise<void> {
  const line = contendersOf((await requests.list(queue)) ?? []).map(({ name }) => `${queue}/${name}`);
  const nodes = await flight(line.map((path) => requests.read(path)));
  const heavy = line.filter((_, i) => {
    const facts = nodes[i] && decodeFacts(nodes[i].data);
    return facts && isOurs(facts) && facts.weight > (capacity ?? facts.capacity);
  });
  await flight(heavy.map((path) => requests.remove(path)));
}

/** Whoever is first watches the leases of the semaphore. They stay as they are: nobody sees one that comes and goes at once. */
async function poke(requests: Requests, { base }: Paths): Promise<void> {
  const passing = `${base}/${randomUUID()}`;
  // Where there is no semaphore yet, nobody is first.
  await requests.commit([{ create: passing, data: nothing, mode: mode.ephemeral }, { remove: passing }]);
}

/**
 * Grants nothing until the time is over. A note in the queue is seen by who wants a share of a semaphore, one beside the
 * contenders by who wants a lock. What the resource is may not be known yet, so there are both, unless it is a semaphore:
 * there, whatever stands beside the leases counts as one.
 */
export async function pause(
  { requests }: Session,
  paths: Paths,
  ms: number,
  reason: string | undefined,
): Promise<{ readonly isSemaphore: boolean }> {
  const note = ms > 0 ? { name: pauseNote(Date.now() + ms), data: reason ?? '' } : undefined;
  const [, node] = await flight([requests.sync(paths.base), requests.read(paths.base)]);
  const isSemaphore = node !== undefined && declaredIn(node) !== undefined;
  const places = isSemaphore ? [paths.queue] : [paths.base, paths.queue];
  await flight(places.map((place) => replaceNotes(requests, place, isPauseNote, note)));
  return { isSemaphore };
}

interface Note {
  readonly name: string;
  readonly data: string;
}

/** Puts the note in the place of all like it. */
async function replaceNotes(
  requests: Requests,
  place: string,
  isLikeIt: (name: string) => boolean,
  note: Note | undefined,
): Promise<void> {
  for (;;) {
    const children = await requests.list(place);
    if (!children && note) await makeNode(requests, place);
    const old = (children ?? []).filter(isLikeIt);
    const committed = await commitNote(requests, place, old, note);
    if (committed.done) return;
    // Somebody else did the same: the last one counts.
  }
}

async function commitNote(
  requests: Requests,
  place: string,
  old: readonly string[],
  note: Note | undefined,
): Promise<Committed> {
  const add = note && {
    create: `${place}/${note.name}`,
    data: note.data,
    mode: mode.persistent,
  };
  const operations = [...old.map((name) => ({ remove: `${place}/${name}` })), ...(add ? [add] : [])];
  return operations.length > 0 ? await requests.commit(operations) : { done: true, results: [] };
}
