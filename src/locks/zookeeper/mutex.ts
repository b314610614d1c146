import type { Soon } from '../../soon.js';
import type { Busy, Claim, Entered, Granted, Queued } from '../coordinator.js';
import type { OwnClaim } from './claim.js';
import { type Contender, contenderNames, contendersOf, warnOfManySequences } from './contenders.js';
import { decodeFacts, encodeFacts, isOurs } from './facts.js';
import { isLease } from './find.js';
import type { LockLayout } from './layout.js';
import { joinTwin, type Line, placesAhead, settleMutex } from './mutex-claims.js';
import { flight, makeNode, nameOf, tidy, tokenOf } from './nodes.js';
import { type Notes, notesAmong } from './notes.js';
import { mode } from './packets.js';
import type { Committed, Made } from './requests.js';
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
import type { Stat } from './wire.js';

/** Beyond so many claims ahead, whoever asks again looks only whether the one just ahead is still there. */
const longLine = 50;

/**
 * A lock, as kazoo's `Lock` and Curator's `InterProcessMutex` keep it: contenders are ephemeral sequential children of
 * one node, whoever has the smallest number holds it, and each of the others watches the one just ahead.
 *
 * The invariant: whoever has seen itself first, after its own node was made, is first until that node is gone. Nobody gets
 * a smaller number later, and what is read behind the making is no older than it; that somebody ahead has left meanwhile
 * costs a wait and nothing else. Where its number tells that it is alone, nothing is read: see `runs.ts`.
 *
 * If the process dies between any two steps, its nodes go with its session. If an answer is lost, the claim is doubtful:
 * its nodes bear its name, and the next step looks for them first.
 */
export async function enterMutex(step: Step, layout: LockLayout, key: string): Promise<Entered> {
  const { request, paths } = step;
  if (request.weight > 1) throw tooHeavy(paths.resource, request.weight, 1);
  const [first] = request.claims as readonly [Claim];
  const claim = ownClaim(step, first, key);
  const refused = isLikelyRefused(step, claim) ? await lookFirst(step, first, claim) : undefined;
  if (refused) return refused;
  for (;;) {
    step.checkTime();
    if (claim.doubtful) await settleMutex(claim, layout);
    const answer = await ask(step, first, claim, layout);
    if (answer) return answer;
  }
}

/** A try that is likely to be refused writes nothing before it has seen that it may not be. */
async function lookFirst(step: Step, first: Claim, claim: OwnClaim): Promise<Busy | undefined> {
  const { side, paths } = step;
  const { contenders, notes } = lineOf(await look(step));
  const free = contenders.length === 0 && !notes.pause;
  if (free || contenders.some(({ who }) => who === claim.guid)) return undefined;
  side.refusals.add(paths.base);
  return busy(notes, await endOfEarlierRun(step, first, contenders));
}

/** Nothing when what it has was taken away, or was not there yet: then it begins anew. */
async function ask(
  step: Step,
  first: Claim,
  claim: OwnClaim,
  layout: LockLayout,
): Promise<Entered | undefined> {
  if (claim.state === 'permit') return await again(step, claim);
  const joins = claim.nodes.length === 0;
  const before = joins ? undefined : await askAhead(step, claim);
  if (before) return before;
  const children = joins ? await join(step, claim, layout) : await look(step);
  if (!children) return undefined;
  if (joins && claim.run) return grant(step, claim);
  const line = lineOf(children);
  if (line.leases) {
    await step.leave(claim);
    throw twoLayouts(step.paths.resource, 'semaphore', 'lock');
  }
  const twin = line.contenders.find(({ who, name }) => who === claim.guid && !has(claim, name));
  if (twin) return await joinTwin(step, claim, twin, line);
  return judge(step, first, claim, line);
}

const has = ({ nodes, paths }: OwnClaim, name: string) => nodes.includes(`${paths.base}/${name}`);

/** It is held already. */
async function again(step: Step, claim: OwnClaim): Promise<Granted | undefined> {
  const { requests } = step.session;
  const [, stat] = await flight([requests.sync(claim.paths.base), requests.stat(claim.nodes[0] as string)]);
  if (stat) return granted(step, claim);
  claim.state = 'asked';
  claim.nodes = [];
  return undefined;
}

/** In a long line there is no need to read all of it again, while the one just ahead is there. */
async function askAhead(step: Step, claim: OwnClaim): Promise<Queued | undefined> {
  const { ahead, behind } = claim;
  if (ahead <= longLine || behind === undefined || !step.request.line) return undefined;
  const { requests } = step.session;
  const [, there, own] = await flight([
    requests.sync(claim.paths.base),
    requests.stat(behind),
    requests.stat(claim.nodes[0] as string),
  ]);
  if (!there || !own) return undefined;
  step.side.watches.node(claim, behind);
  return queued(step, claim, { over: [] });
}

async function look({ session: { requests }, paths: { base } }: Step): Promise<string[]> {
  const [, children = []] = await flight([requests.sync(base), requests.list(base)]);
  return children;
}

/** Makes its nodes. The children then, which are not read where its own is known to be the only one. */
async function join(step: Step, claim: OwnClaim, layout: LockLayout): Promise<string[] | undefined> {
  const { requests } = step.session;
  const { base } = step.paths;
  claim.doubtful = true;
  const start = step.side.runs.start(claim);
  const asked = start.isLikely
    ? ([makeContenders(step, claim, layout)] as const)
    : requests.together(() => {
        const making = makeContenders(step, claim, layout);
        start.watch();
        return [making, requests.list(base)] as const;
      });
  const [made, listed] = await flight<[Made | Committed | undefined, string[]?]>(asked);
  claim.doubtful = false;
  const nodes = made && nodesOf(made);
  if (!nodes) {
    await makeNode(requests, base);
    return undefined;
  }
  claim.nodes = nodes;
  claim.token = 'stat' in made && step.side.fencing ? tokenOf(made.stat) : undefined;
  claim.version = 0;
  warnOfManySequences(nodes[0] as string);
  const only = start.goesOn() ? nodes.map(nameOf) : undefined;
  const children = only ?? listed ?? (await requests.list(base)) ?? [];
  start.see(children);
  return children;
}

/** One, or two in the layout `both`. */
function makeContenders(
  { session: { requests }, paths: { base }, request: { line, placeLife } }: Step,
  claim: OwnClaim,
  layout: LockLayout,
): Promise<Made | Committed | undefined> {
  const data = encodeFacts({ ...claim.facts, ...(line && { waiting: placeLife }) });
  const [one, ...more] = contenderNames(claim.guid, layout).map((name) => `${base}/${name}`);
  if (more.length === 0) return requests.createTold(one as string, data, mode.ephemeralSequential);
  const all = [one as string, ...more].map((create) => ({ create, data, mode: mode.ephemeralSequential }));
  return requests.commit(all);
}

/** Their paths; nothing when there is no parent. */
function nodesOf(made: Made | Committed): string[] | undefined {
  if ('path' in made) return [made.path];
  return made.done ? made.results.map(({ path }) => path as string) : undefined;
}

function lineOf(children: readonly string[]): Line {
  const contenders = contendersOf(children);
  const leases = children.some(isLease);
  return { contenders, notes: notesAmong(children), leases };
}

function judge(step: Step, first: Claim, claim: OwnClaim, line: Line): Soon<Entered | undefined> {
  const { session, paths } = step;
  const { contenders, notes } = line;
  tidy(
    session.requests,
    notes.over.map((name) => `${paths.base}/${name}`),
  );
  const index = contenders.findIndex(({ name }) => has(claim, name));
  if (index === -1) {
    claim.nodes = [];
    return undefined;
  }
  if (index === 0 && !notes.pause) return grant(step, claim);
  return waitBehind(step, first, claim, line, index);
}

async function waitBehind(
  step: Step,
  first: Claim,
  claim: OwnClaim,
  { contenders, notes }: Line,
  index: number,
): Promise<Entered> {
  const { paths, request, side } = step;
  const ownUntil = await endOfEarlierRun(step, first, contenders);
  if (ownUntil !== undefined || !request.line) {
    await step.leave(claim);
    side.refusals.add(paths.base);
    return busy(notes, ownUntil);
  }
  const ahead = contenders[index - 1]?.name ?? notes.pause?.name;
  claim.behind = `${paths.base}/${ahead}`;
  claim.ahead = placesAhead({ contenders, notes }, contenders[index]?.name);
  side.watches.node(claim, claim.behind);
  return queued(step, claim, notes);
}

function queued({ side, request }: Step, claim: OwnClaim, notes: Notes): Queued {
  claim.state = 'place';
  side.claims.extend(claim, request.placeLife);
  return { kind: 'queued', ahead: claim.ahead, retryAfter: retryAfter(notes) };
}

function grant(step: Step, claim: OwnClaim): Soon<Granted | undefined> {
  const { request, side } = step;
  const isTold = !request.line && !(side.fencing && claim.token === undefined);
  return isTold ? granted(step, claim) : grantTold(step, claim);
}

/** Whoever stood in line says that it waits no more. */
async function grantTold(step: Step, claim: OwnClaim): Promise<Granted | undefined> {
  const { session, request, side } = step;
  const [node] = claim.nodes as readonly [string];
  let stat: Stat | undefined;
  if (request.line) {
    step.checkTime();
    claim.facts = { ...claim.facts, since: Date.now() };
    stat = await session.requests.write(node, encodeFacts(claim.facts));
  } else {
    stat = await session.requests.stat(node);
  }
  if (!stat) {
    claim.nodes = [];
    return undefined;
  }
  claim.version = stat.version;
  if (side.fencing) claim.token = tokenOf(stat);
  return granted(step, claim);
}

function granted({ side, request, paths }: Step, claim: OwnClaim): Granted {
  claim.state = 'permit';
  side.claims.extend(claim, request.lease);
  side.watches.remove(claim);
  side.refusals.delete(paths.base);
  return { kind: 'granted', grants: [grantOf(claim, request.lease)], capacity: 1 };
}

/** Whoever holds may be an earlier run for the same message: milliseconds until its lease ends. */
async function endOfEarlierRun(
  { session, paths }: Step,
  { id, message, redelivered }: Claim,
  [holder]: readonly Contender[],
): Promise<number | undefined> {
  if (!redelivered || message === undefined || !holder) return undefined;
  const node = await session.requests.read(`${paths.base}/${holder.name}`);
  const facts = node && decodeFacts(node.data);
  if (!facts || !isOurs(facts) || facts.waiting !== undefined) return undefined;
  return facts.id !== id && facts.message === message ? facts.lease : undefined;
}
