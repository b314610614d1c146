import type { Busy, Claim, Entered, Grant, Granted, Queued } from '../coordinator.js';
import type { OwnClaim } from './claim.js';
import { claimsAhead } from './contenders.js';
import { encodeFacts } from './facts.js';
import { makeLeases } from './leases.js';
import { flight, nameOf, tidy } from './nodes.js';
import { alsoDeclared, earlierRuns, joinQueue, look, makePool, type Pool } from './pool.js';
import { settlePlace, settleSemaphore, takeOverLease } from './semaphore-claims.js';
import {
  busy,
  grantOf,
  isLikelyRefused,
  ownClaim,
  retryAfter,
  type Step,
  tooHeavy,
  twoLayouts,
} from './step.js';

/** How long a try waits for those ahead in the queue when there is room: they are about to take it and leave. */
const patience = 50;

/** Claims that are asked for together, and their keeping. The first of them stands in the queue for all. */
interface Asking {
  readonly step: Step;
  readonly claims: readonly OwnClaim[];
  readonly asked: readonly Claim[];
  /** It has waited for those ahead. */
  waited: boolean;
}

/**
 * A semaphore, as kazoo's `Semaphore` keeps it: leases are ephemeral children of one node, whoever they belong to; and
 * only whoever holds a lock beside it, the queue, may add one. Holding it, one waits until there is room.
 *
 * The invariant: leases are only added by the first of the queue, in one transaction with giving that place up, when it
 * has seen room after it was first. Nobody else adds any meanwhile, so there can only be more room than it saw.
 *
 * A claim that weighs more has as many leases. If the process dies between any two steps, all goes with its session. If an
 * answer is lost, the claim is doubtful, and the next step looks for its leases and its place first.
 */
export async function enterSemaphore(step: Step, keys: readonly string[]): Promise<Entered> {
  const { request } = step;
  const claims = request.claims.map((claim, i) => ownClaim(step, claim, keys[i] as string));
  const held = await heldAgain(step, claims);
  const asking: Asking = {
    step,
    claims: claims.slice(held.grants.length),
    asked: request.claims.slice(held.grants.length),
    waited: false,
  };
  if (asking.claims.length === 0) return held;
  const answer = await acquire(asking);
  if (answer.kind === 'granted') return { ...answer, grants: [...held.grants, ...answer.grants] };
  return held.grants.length === 0 ? answer : held;
}

/** Those from the front that hold their leases already. */
async function heldAgain(step: Step, claims: readonly OwnClaim[]): Promise<Granted> {
  const { session, paths, request, side } = step;
  const grants: Grant[] = [];
  for (const claim of claims) {
    if (claim.doubtful) await settleSemaphore(step, claim);
    if (claim.state !== 'permit') break;
    const { requests } = session;
    const [, stat] = await flight([requests.sync(paths.base), requests.stat(claim.nodes[0] as string)]);
    if (!stat) {
      claim.state = 'asked';
      claim.nodes = [];
      break;
    }
    side.claims.extend(claim, request.lease);
    grants.push(grantOf(claim, request.lease));
  }
  const pool = grants.length > 0 ? await look(step) : undefined;
  return { kind: 'granted', grants, capacity: pool?.capacity ?? request.capacity };
}

async function acquire(asking: Asking): Promise<Entered> {
  const { step, claims } = asking;
  const leader = claims[0] as OwnClaim;
  const refused = isLikelyRefused(step, leader) ? await lookFirst(asking, leader) : undefined;
  if (refused) return refused;
  for (;;) {
    step.checkTime();
    for (const claim of claims) if (claim.doubtful) await settleSemaphore(step, claim);
    if (leader.state === 'permit') return granted(asking, [leader], undefined);
    const pool = leader.nodes.length > 0 ? await look(step, leader) : await joinQueue(step, leader);
    if (!pool) await makePool(step);
    const answer = pool && (await judge(asking, leader, pool));
    if (answer) return answer;
  }
}

/** A try that is likely to be refused writes nothing before it has seen that it may not be. */
async function lookFirst({ step, asked }: Asking, leader: OwnClaim): Promise<Busy | undefined> {
  const { request, side, paths } = step;
  const pool = await look(step);
  if (!pool || pool.leases.includes(leader.guid)) return undefined;
  const room = pool.capacity - pool.leases.length;
  if (!pool.notes.pause && (room >= request.weight || request.weight > pool.capacity)) return undefined;
  side.refusals.add(paths.base);
  return busy(pool.notes, (await earlierRuns(step, asked, pool)).get(leader.facts.id));
}

async function judge(asking: Asking, leader: OwnClaim, pool: Pool): Promise<Entered | undefined> {
  const { step, asked, claims } = asking;
  const { request, paths, session } = step;
  tidy(session.requests, pool.litter);
  if (pool.isLock) {
    await step.leave(leader);
    throw twoLayouts(paths.resource, 'lock', 'semaphore');
  }
  if (request.weight > pool.capacity) {
    await step.leave(leader);
    throw tooHeavy(paths.resource, request.weight, pool.capacity);
  }
  if (pool.leases.includes(leader.guid)) return await takeOverLease(step, leader, pool);
  const place = await settlePlace(step, leader, pool);
  if (place === undefined) return undefined;

  const ends = await earlierRuns(step, asked, pool);
  const count = fitting(asking, ends, pool);
  const ahead = claimsAhead(pool.contenders, nameOf(place));
  if (ahead === 0 && count > 0 && !pool.notes.pause) {
    step.checkTime();
    const made = await makeLeases(step, claims.slice(0, count), place, pool);
    return made.length > 0 ? granted(asking, made, pool) : undefined;
  }
  const ownUntil = ends.get(leader.facts.id);
  if (ownUntil === undefined && request.line) return await queued(step, leader, place, pool);
  if (ownUntil === undefined && ahead > 0 && count > 0 && !pool.notes.pause && !asking.waited) {
    asking.waited = true;
    await aheadIsGone(step, leader, place, pool);
    return undefined;
  }
  await step.leave(leader);
  step.side.refusals.add(paths.base);
  return busy(pool.notes, ownUntil);
}

/** Claims from the front that there is room for, whether or not it is their turn. */
function fitting({ step, claims }: Asking, ends: ReadonlyMap<string, number>, pool: Pool): number {
  const { weight } = step.request;
  const room = pool.capacity - pool.leases.length;
  const held = claims.findIndex(({ facts }) => ends.has(facts.id));
  return Math.min(Math.floor(Math.max(0, room) / weight), held === -1 ? claims.length : held);
}

function granted({ step }: Asking, claims: readonly OwnClaim[], pool: Pool | undefined): Granted {
  const { request, side, paths } = step;
  side.refusals.delete(paths.base);
  const other = pool && alsoDeclared(pool, request.capacity);
  return {
    kind: 'granted',
    grants: claims.map((claim) => grantOf(claim, request.lease)),
    capacity: pool?.capacity ?? request.capacity,
    ...(other !== undefined && { alsoDeclared: other }),
  };
}

async function queued(step: Step, claim: OwnClaim, place: string, pool: Pool): Promise<Queued | undefined> {
  const { side, request, session } = step;
  const ahead = claimsAhead(pool.contenders, nameOf(place));
  const answer: Queued = { kind: 'queued', ahead, retryAfter: retryAfter(pool.notes) };
  if (claim.nodes.length === 0) {
    // The place is another side's, whose keeping it is: it is told that somebody asked.
    const facts = { ...claim.facts, waiting: request.placeLife };
    return (await session.requests.write(place, encodeFacts(facts))) ? answer : undefined;
  }
  claim.state = 'place';
  claim.ahead = ahead;
  side.claims.extend(claim, request.placeLife);
  watch(step, claim, place, pool);
  return answer;
}

/** One is told when the one just ahead leaves; whoever is first, when there may be room. */
function watch({ side, session, paths }: Step, claim: OwnClaim, place: string, pool: Pool): void {
  const ahead = justAhead(pool, place);
  if (ahead !== undefined) {
    side.watches.node(claim, `${paths.queue}/${ahead}`);
    return;
  }
  const { pause, override } = pool.notes;
  for (const note of [pause, override]) {
    if (note) side.watches.node(claim, `${paths.queue}/${note.name}`);
  }
  const { requests } = session;
  const list = async (watch: boolean) => {
    // Who is told already needs not ask.
    if (!watch) return;
    // The answer that sets the watch tells it: a change between two requests would go unheard.
    const listed = await requests.listTold(paths.base, watch);
    if (listed?.stat.cversion !== pool.changes) side.watches.changed(session, paths.base);
    return listed;
  };
  side.watches.ask(claim, paths.base, list).catch(() => {});
}

function justAhead({ contenders }: Pool, place: string): string | undefined {
  return contenders[contenders.findIndex(({ name }) => name === nameOf(place)) - 1]?.name;
}

/** Resolves when the one just ahead has left, or does not leave soon. */
function aheadIsGone({ side, paths }: Step, claim: OwnClaim, place: string, pool: Pool): Promise<void> {
  return new Promise((resolve) => {
    const over = () => {
      stop();
      clearTimeout(timer);
      resolve();
    };
    const timer = setTimeout(over, patience);
    const stop = side.claims.listeners.add(claim.key, over);
    side.watches.node(claim, `${paths.queue}/${justAhead(pool, place)}`);
  });
}
