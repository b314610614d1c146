import type { Broker, Consumer } from '../brokers/broker.js';
import { checkObject, redact } from '../check.js';
import type { Clock } from '../clock.js';
import { type Duration, milliseconds, readable } from '../duration.js';
import { BrokerUnavailableError } from '../errors.js';
import { inTime } from '../in-time.js';
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
  readonly broker: BrokerHealth;
  readonly coordinators: readonly CoordinatorHealth[];
}

/** Whether it answered a question that was asked for this, and why not. */
export interface CoordinatorHealth {
  readonly kind: string;
  readonly reachable: boolean;
  readonly error?: string;
}

export interface BrokerHealth extends CoordinatorHealth {
  /** For how long what fetches has had no answer, though it had a slot to fetch for. */
  readonly silence: number;
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

/** Since when the broker has answered every question of those who asked how the worker is, on the clock's `now`. */
export class Answers {
  #last = Number.NEGATIVE_INFINITY;
  #since = 0;

  /** What was not asked for `within` milliseconds is not known, and begins anew. */
  came(now: number, within: number): void {
    if (now - this.#last > within) this.#since = now;
    this.#last = now;
  }

  failed(): void {
    this.#last = Number.NEGATIVE_INFINITY;
  }

  /** For how long, in milliseconds. */
  steady(now: number): number {
    return this.#last === Number.NEGATIVE_INFINITY ? 0 : now - this.#since;
  }
}

/** Nobody keeps this resource: to look at it costs one step, and changes nothing. */
const nobodys = 'lockkeeper:health';

/**
 * Looks a worker over. A server that answers pings may answer nothing else, and a connection that fetches may be lost
 * while others live. So the worker is judged by what it does: when its fetching was last answered, and by a step of its
 * broker and of each coordinator.
 *
 * A consumer may answer its worker from what it knows itself, so its other calls are no sign of the broker.
 */
export async function examine(patient: Patient, options: HealthOptions): Promise<Health> {
  checkObject(options, 'options', ['within']);
  const within = milliseconds(options.within ?? 15_000, 'within');
  const { state, queues, slots, busy, clock, answers } = patient;
  const runs = [...patient.active];
  const [broker, coordinators] = await Promise.all([
    askBroker(patient, within),
    askAll(patient.locks, within),
  ]);
  const now = clock.now();
  const seen = {
    state,
    queues,
    slots,
    busy,
    running: runs.length,
    abandoned: runs.filter(({ abandoned }) => abandoned).length,
    oldestRun: oldest(runs, clock),
    broker,
    coordinators,
  };
  // Fetching that gets no answer, though the broker has answered others for as long: when it comes back, it has a moment.
  const lost = state === 'running' && broker.silence > within && answers.steady(now) > within;
  const wedged = seen.abandoned >= slots;
  const problems = problemsOf(seen, within, { lost, wedged });
  const alive = state !== 'stopped' && !lost && !wedged;
  return { ok: problems.length === 0, alive, problems, ...seen };
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
  if (state === 'running' && broker.silence > within) {
    const although = lost ? `, though the ${broker.kind} broker answers` : '';
    problems.push(`its fetching has had no answer for ${readable(broker.silence)}${although}`);
  }
  for (const { error } of [broker, ...coordinators]) if (error !== undefined) problems.push(error);
  return problems;
}

/** A question that takes the broker one step, whatever connection fetches. */
async function askBroker(patient: Patient, within: number): Promise<BrokerHealth> {
  const { broker, clock, locks, queues, answers, consumer } = patient;
  const { kind } = broker;
  const timeout = Math.min(locks.settings.callTimeout, within);
  const silence = () => Math.round(consumer?.silence ?? 0);
  const late = () => new BrokerUnavailableError(kind, { cause: new Error(`no answer within ${timeout} ms`) });
  try {
    await inTime(clock, broker.depth(queues[0] as string), timeout, late);
    answers.came(clock.now(), within);
    return { kind, reachable: true, silence: silence() };
  } catch (error) {
    answers.failed();
    return { kind, reachable: false, error: redact((error as Error).message), silence: silence() };
  }
}

function oldest(runs: readonly ActiveRun[], clock: Clock): Health['oldestRun'] {
  const [first] = [...runs].sort((a, b) => a.startedAt - b.startedAt);
  if (!first) return undefined;
  const { id, task } = first.delivery.message;
  return { id, task, age: Math.round(clock.now() - first.startedAt) };
}

/** Has the clients of all coordinators loaded and connected before a message waits for them. Never rejects. */
export async function warmUp(locks: Locks): Promise<void> {
  await askAll(locks, locks.settings.callTimeout);
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
