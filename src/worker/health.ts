import type { Broker, Consumer } from '../brokers/broker.js';
import { checkObject, redact } from '../check.js';
import type { Clock } from '../clock.js';
import { type Duration, milliseconds, readable } from '../duration.js';
import { answered } from '../locks/answer.js';
import type { Coordinator } from '../locks/coordinator.js';
import type { Locks } from '../locks/locks.js';
import type { ActiveRun } from './active-run.js';

export interface HealthOptions {
  /** How recently the broker and the coordinators must have answered. Default 15 s. */
  within?: Duration;
}

/** How a worker is. Durations are in milliseconds. */
export interface Health {
  /** It fetches, and broker and coordinators answer: nothing stands in `problems`. */
  readonly ok: boolean;
  /**
   * It does its part. One that waits for a server that is away is alive and not ok; one that is not alive will not come
   * back by itself, so restart it.
   */
  readonly alive: boolean;
  readonly problems: readonly string[];
  readonly state: 'new' | 'running' | 'stopping' | 'stopped';
  readonly queues: readonly string[];
  /** Runs at once, at most. */
  readonly slots: number;
  /** Slots that hold a delivery. */
  readonly busy: number;
  /** Bodies that run. */
  readonly running: number;
  /** Bodies that were told to stop, and given up when they did not. Each keeps its slot. */
  readonly abandoned: number;
  readonly oldestRun?: { readonly id: string; readonly task: string; readonly age: number };
  readonly broker: {
    readonly kind: string;
    /** Since it last answered a question. */
    readonly answered: number;
    /** For how long what fetches has had no answer, though it had a slot to fetch for. */
    readonly silence: number;
  };
  readonly coordinators: readonly CoordinatorHealth[];
}

export interface CoordinatorHealth {
  readonly kind: string;
  readonly reachable: boolean;
  readonly error?: string;
}

/** What there is to be looked at. */
export interface Patient {
  readonly state: Health['state'];
  readonly clock: Clock;
  readonly locks: Locks;
  readonly broker: Broker;
  /** Absent while it does not fetch. */
  readonly consumer: Consumer | undefined;
  readonly queues: readonly string[];
  readonly slots: number;
  readonly busy: number;
  readonly active: Iterable<ActiveRun>;
  readonly answers: Answers;
}

/** A server that has not answered for so long was away, in milliseconds: it is asked every second. */
const longestGap = 5_000;

/** When the broker answered the worker's questions, on the clock's `now`. */
export class Answers {
  /** The last one. */
  last: number;
  /** Since then without a gap. */
  steadySince: number;

  constructor(now: number) {
    this.last = now;
    this.steadySince = now;
  }

  came(now: number): void {
    if (now - this.last > longestGap) this.steadySince = now;
    this.last = now;
  }
}

/** Nobody keeps this resource: to look at it costs one step, and changes nothing. */
const nobodys = 'lockkeeper:health';

/**
 * Looks a worker over. A server that answers pings may answer nothing else, and a connection that fetches may be lost
 * while others live. So the worker is judged by what it does: when its fetching was last answered, when its other
 * questions were, and by a step of each coordinator.
 */
export async function examine(patient: Patient, options: HealthOptions): Promise<Health> {
  checkObject(options, 'options', ['within']);
  const within = milliseconds(options.within ?? 15_000, 'within');
  const { state, queues, slots, busy, clock, answers } = patient;
  const runs = [...patient.active];
  const seen = {
    state,
    queues,
    slots,
    busy,
    running: runs.length,
    abandoned: runs.filter(({ abandoned }) => abandoned).length,
    oldestRun: oldest(runs, clock),
    broker: {
      kind: patient.broker.kind,
      answered: Math.round(clock.now() - answers.last),
      silence: Math.round(patient.consumer?.silence ?? 0),
    },
    coordinators: await askAll(patient.locks, within),
  };
  const lost = state === 'running' && isLost(seen.broker, within, clock.now() - answers.steadySince);
  const wedged = seen.abandoned >= slots;
  const problems = problemsOf(seen, within, { lost, wedged });
  const alive = state !== 'stopped' && !lost && !wedged;
  return { ok: problems.length === 0, alive, problems, ...seen };
}

/**
 * Its fetching gets no answer, though others of its questions do. A broker that goes away silences both, one a little
 * before the other; and when it is back, fetching has a moment to be heard of too.
 */
function isLost({ silence, answered }: Health['broker'], within: number, steady: number): boolean {
  return silence - answered > within && steady > within;
}

function problemsOf(
  { state, slots, broker, coordinators }: Omit<Health, 'ok' | 'alive' | 'problems'>,
  within: number,
  { lost, wedged }: { lost: boolean; wedged: boolean },
): string[] {
  const problems: string[] = [];
  if (state === 'new') problems.push('it has not started');
  if (state === 'stopping') problems.push('it is stopping');
  if (state === 'stopped') problems.push('it has stopped');
  if (wedged) problems.push(`all of its ${slots} slots hold bodies that do not stop`);
  if (state === 'running' && broker.answered > within) {
    problems.push(`the ${broker.kind} broker has not answered for ${readable(broker.answered)}`);
  } else if (state === 'running' && broker.silence > within) {
    const although = lost ? `, though the ${broker.kind} broker answers` : '';
    problems.push(`its fetching has had no answer for ${readable(broker.silence)}${although}`);
  }
  for (const { error } of coordinators) if (error !== undefined) problems.push(error);
  return problems;
}

function oldest(runs: readonly ActiveRun[], clock: Clock): Health['oldestRun'] {
  const [first] = [...runs].sort((a, b) => a.startedAt - b.startedAt);
  if (!first) return undefined;
  const { id, task } = first.delivery.message;
  return { id, task, age: Math.round(clock.now() - first.startedAt) };
}

async function askAll(locks: Locks, within: number): Promise<CoordinatorHealth[]> {
  return await Promise.all(
    [...locks.settings.resources.coordinators].map((coordinator) => ask(locks, coordinator, within)),
  );
}

/** One that refuses only what changes something, as a full Redis does, answers this question but not the worker's. */
async function ask(locks: Locks, coordinator: Coordinator, within: number): Promise<CoordinatorHealth> {
  const { kind } = coordinator;
  const timeout = Math.min(locks.settings.callTimeout, within);
  try {
    await answered(locks.clock, kind, coordinator.inspect(nobodys, { timeout }), timeout);
    const outage = locks.outage(coordinator, within);
    if (!outage) return { kind, reachable: true };
    throw outage;
  } catch (error) {
    return { kind, reachable: false, error: redact((error as Error).message) };
  }
}
