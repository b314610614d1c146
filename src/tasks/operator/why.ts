import type { Broker, Located } from '../../brokers/broker.js';
import { type Clock, sleep } from '../../clock.js';
import type { Message, Share } from '../../message.js';
import { isFinal, type ResultStore, type StoredState } from '../../results/result-store.js';
import type { TaskRecord } from '../task.js';
import type { ResourceReport, ResourceReports } from './resources.js';

/** Where a call is, and what it waits for. Instants are in milliseconds since 1970, durations in milliseconds. */
export interface Why {
  readonly id: string;
  /**
   * `running`: in a worker's hands. `deferred`: put back because a resource was busy. `queued`: ready, nobody has taken it
   * yet. `delayed`: by a countdown, or until its next attempt. `apart`: set aside for an operator. `ended`: see `stored`.
   * `unknown`: neither the broker nor the result store knows it (any more).
   */
  readonly state: 'running' | 'deferred' | 'queued' | 'delayed' | 'apart' | 'ended' | 'unknown';
  readonly task?: string;
  readonly queue?: string;
  readonly sentAt?: number;
  readonly expires?: number;
  /** Which attempt it is, or will be, from 1. */
  readonly attempt?: number;
  /** How often it was put back because a resource was busy. */
  readonly deferrals?: number;
  /** The first time since it last ran. */
  readonly deferredAt?: number;
  /** The resource that refused. */
  readonly refusedBy?: string;
  /** Messages before it, in its queue or its room. */
  readonly ahead?: number;
  /** When it will be looked at again, of what is delayed. */
  readonly nextTry?: number;
  /** Until it starts: of what is delayed, the rest of that; else if it goes on as it went while it was watched. */
  readonly estimate?: number;
  /** Why it was set aside, and under which id. */
  readonly reason?: string;
  readonly asideId?: string;
  /** What is kept of it for its caller. */
  readonly stored?: StoredState;
  /** Those that its limits name, as they are now. */
  readonly resources: readonly ResourceReport[];
}

export interface WhyHost {
  readonly clock: Clock;
  readonly broker: Broker;
  readonly results: ResultStore;
  readonly tasks: ReadonlyMap<string, TaskRecord>;
  readonly reports: ResourceReports;
}

/** Looks for the call `id` in these queues and in the result store. `watch` milliseconds are taken for an estimate. */
export async function why(host: WhyHost, id: string, queues: readonly string[], watch: number): Promise<Why> {
  const found = await locate(host, id, queues);
  const stored = await host.results.get(id);
  if (!found) return { id, ...fromStore(stored), stored, resources: [] };
  const seen = await watched(host, found, queues, watch);
  // It ended while it was watched.
  if (!seen) return await why(host, id, queues, 0);
  const names = sharesOf(seen.now.message, host.tasks).map(({ key }) => key);
  const resources = names.length > 0 ? await host.reports.all(names, queues) : [];
  return { ...described(id, seen, host.clock), stored, resources };
}

/** A message may be on its way from one place to another while a broker looks through them. */
async function locate(
  { broker }: WhyHost,
  id: string,
  queues: readonly string[],
): Promise<Located | undefined> {
  if (!broker.features.inspection) return undefined;
  return (await broker.locate(id, queues)) ?? (await broker.locate(id, queues));
}

interface Seen {
  readonly now: Located;
  readonly estimate?: number;
}

/** Two looks tell how fast those before it go. One that went from its queue to a room meanwhile is watched there. */
async function watched(
  host: WhyHost,
  first: Located,
  queues: readonly string[],
  watch: number,
  moved = false,
): Promise<Seen | undefined> {
  if (!('ahead' in first) || watch === 0) return { now: first };
  const begun = host.clock.now();
  await sleep(host.clock, watch, { keepAlive: true });
  const now = await locate(host, first.message.id, queues);
  const took = host.clock.now() - begun;
  if (!now || !('ahead' in now)) return now && { now };
  if (now.where !== first.where) return moved ? { now } : await watched(host, now, queues, watch, true);
  const passed = first.ahead - now.ahead;
  return passed > 0 ? { now, estimate: (now.ahead / passed) * took } : { now };
}

function described(id: string, { now, estimate }: Seen, clock: Clock): Omit<Why, 'resources'> {
  const { message, queue } = now;
  const { task, sentAt, expires, retries, deferrals, deferredAt } = message;
  const about = { id, task, queue, sentAt, expires, attempt: retries + 1, deferrals, deferredAt };
  switch (now.where) {
    case 'running':
      return { ...about, state: 'running' };
    case 'ready':
      return { ...about, state: 'queued', ahead: now.ahead, estimate };
    case 'parked':
      return { ...about, state: 'deferred', refusedBy: now.resource, ahead: now.ahead, estimate };
    case 'delayed': {
      const left = Math.max(0, now.until - clock.wall());
      const state = deferredAt === undefined ? 'delayed' : 'deferred';
      return { ...about, state, refusedBy: message.refusedBy, nextTry: now.until, estimate: left };
    }
    case 'apart':
      return { ...about, state: 'apart', reason: now.aside.reason, asideId: now.aside.id };
  }
}

/** All that is known when the broker has no such message, or cannot say. */
function fromStore(stored: StoredState | undefined): Pick<Why, 'state' | 'refusedBy' | 'reason'> {
  if (isFinal(stored)) return { state: 'ended' };
  switch (stored?.state) {
    case 'started':
      return { state: 'running' };
    case 'deferred':
      return { state: 'deferred', refusedBy: stored.resource };
    case 'retrying':
      return { state: 'delayed' };
    case 'aside':
      return { state: 'apart', reason: stored.reason };
    default:
      return { state: 'unknown' };
  }
}

/** What its limits ask for: as it says itself, else as its task does. */
function sharesOf(message: Message, tasks: ReadonlyMap<string, TaskRecord>): readonly Share[] {
  const shares = message.shares ?? tasks.get(message.task)?.fixed ?? [];
  return shares.filter((share) => share !== null);
}
