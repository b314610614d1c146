import type { Delivery } from '../brokers/broker.js';
import { sleep } from '../clock.js';
import type { Crowd } from '../crowd.js';
import { ConfigError, CoordinatorUnavailableError, MessageError } from '../errors.js';
import type { Lease } from '../locks/lease.js';
import type { Terms } from '../locks/terms.js';
import type { Message } from '../message.js';
import { type Soon, whenThere } from '../soon.js';
import type { App } from '../tasks/app.js';
import { misfit } from '../tasks/arguments.js';
import { RunContext } from '../tasks/context.js';
import type { TaskRecord } from '../tasks/task.js';
import { ActiveRun, type BodyEnd } from './active-run.js';
import type { Admission, Admitted } from './admission.js';
import { type Conclusion, failed } from './conclusion.js';
import { late, waited } from './deferral.js';
import { withMessage } from './delivery.js';
import type { Doormen } from './doormen.js';
import type { Journal } from './journal.js';
import { PutOff } from './put-off.js';
import type { Spares } from './spares.js';
import { type Ended, putBack } from './verdict.js';

export interface RunHost {
  readonly app: App;
  readonly admission: Admission;
  readonly doormen: Doormen;
  readonly spares: Spares;
  readonly journal: Journal;
  readonly conclusion: Conclusion;
  /** Milliseconds. */
  readonly abortGrace: number;
  readonly stopping: AbortSignal;
  /** Bodies that run now. */
  readonly active: Crowd<ActiveRun>;
  /** Whether a message was revoked since it is in hand. */
  readonly isRevoked: (id: string) => boolean;
}

/**
 * A delivery, from its arrival to its outcome:
 *
 *     is it still wanted?  →  its limits, all or none  →  the body  →  the outcome
 *
 * Nothing here rejects: a body that throws is an outcome, and so is a message that cannot be run.
 */
export class Runner {
  readonly #host: RunHost;
  readonly #putOff: PutOff;

  constructor(host: RunHost) {
    this.#host = host;
    this.#putOff = new PutOff(host.app.clock, host.journal);
  }

  /** Runs it, under the lease that is in hand already, if there is one. */
  run(delivery: Delivery, inHand?: Lease): Soon<Ended> {
    const held = heldOf(inHand);
    const record = this.#host.app.tasks.get(delivery.message.task);
    if (!record) {
      const reason = `no task "${delivery.message.task}" is known here`;
      return this.#aside(delivery, reason, held);
    }
    if (this.#isUnwanted(delivery, record)) return this.#unwanted(delivery, record, held);
    const wrong = delivery.message.kwargs && misfit(record, delivery.message);
    if (wrong) return { leases: held, ...failed(this.#host.journal, delivery, wrong) };
    if (record.limits.length > 0) return this.#limited(delivery, record, inHand, held);
    this.#host.spares.giveBack();
    return this.#body(delivery, record, none, held, none);
  }

  #limited(
    delivery: Delivery,
    record: TaskRecord,
    inHand: Lease | undefined,
    held: readonly Lease[],
  ): Soon<Ended> {
    try {
      const admission = this.#host.admission.enter(delivery, record, inHand);
      const ended = whenThere(admission, (admitted) => this.#admitted(delivery, record, admitted, inHand));
      if (!(ended instanceof Promise)) return ended;
      return ended.catch((error) => this.#notAdmitted(delivery, error, held));
    } catch (error) {
      return this.#notAdmitted(delivery, error, held);
    }
  }

  /** Not `async`, and so no promise of its own: every limited task comes through here. */
  #admitted(
    delivery: Delivery,
    record: TaskRecord,
    admitted: Admitted,
    inHand: Lease | undefined,
    until?: number,
  ): Soon<Ended> {
    const { entry, all, message } = admitted;
    if (entry.kind !== 'entered') return this.#refused(delivery, record, admitted, inHand, until);
    const [own] = all;
    const behind = own && all.length === 1 && !inHand && this.#host.doormen.standsFor(own.resource);
    if (behind && entry.leases.length === 1 && this.#putOff.mayGoBehind(delivery, message, own)) {
      return { leases: entry.leases, ...this.#putOff.behind(delivery, message, own) };
    }
    return this.#body(withMessage(delivery, message), record, all, heldOf(inHand), entry.leases);
  }

  async #refused(
    delivery: Delivery,
    record: TaskRecord,
    admitted: Admitted,
    inHand: Lease | undefined,
    until: number | undefined,
  ): Promise<Ended> {
    const { entry, message } = admitted;
    const held = heldOf(inHand);
    if (this.#host.stopping.aborted || entry.kind === 'entered') return putBack(delivery, held);
    if (this.#isUnwanted(delivery, record)) return this.#unwanted(delivery, record, held);
    if (entry.kind === 'misconfigured') return this.#aside(delivery, entry.error.message, held);
    if (entry.kind === 'later' && entry.terms.limit.onBusy === 'wait') {
      const now = this.#host.app.clock.now();
      const last = until ?? now + this.#host.admission.patience(message, entry.terms);
      if (now + entry.after <= last) {
        return await this.#waitForStart(withMessage(delivery, message), record, entry.after, inHand, last);
      }
    }
    return { leases: held, ...this.#putOff.refused(delivery, message, entry) };
  }

  /** The start is booked, and the limit says to wait for it in the slot: until `until` on the clock's `now`, at most. */
  async #waitForStart(
    delivery: Delivery,
    record: TaskRecord,
    after: number,
    inHand: Lease | undefined,
    until: number,
  ): Promise<Ended> {
    const { stopping, app, admission } = this.#host;
    // Others can use it meanwhile.
    void inHand?.release();
    const { signal, done } = admission.callable(delivery.message.id);
    await sleep(app.clock, after, { signal }).catch(() => {});
    done();
    if (stopping.aborted) return putBack(delivery, none);
    if (this.#isUnwanted(delivery, record)) return this.#unwanted(delivery, record, none);
    const admitted = await admission.enter(delivery, record, undefined);
    return await this.#admitted(delivery, record, admitted, undefined, until);
  }

  /** Revoked, expired, or in the hands of too many workers that died. */
  #isUnwanted({ revoked, message, losses }: Delivery, { settings }: TaskRecord): boolean {
    return revoked || this.#host.isRevoked(message.id) || this.#isLate(message) || losses > settings.maxLost;
  }

  #isLate({ expires }: Message): boolean {
    return expires !== undefined && this.#host.app.clock.wall() >= expires;
  }

  #unwanted(delivery: Delivery, record: TaskRecord, leases: readonly Lease[]): Ended {
    const { journal } = this.#host;
    const { message, losses } = delivery;
    const revoked = delivery.revoked || this.#host.isRevoked(message.id);
    if (revoked || this.#isLate(message)) {
      journal.tell(revoked ? 'task.revoked' : 'task.expired', delivery, {});
      return { outcome: { kind: 'skipped' }, state: { state: revoked ? 'revoked' : 'expired' }, leases };
    }
    const reason = `${losses} workers died while they ran it, and maxLost is ${record.settings.maxLost}`;
    return this.#aside(delivery, reason, leases);
  }

  /** Nor is this: a body that makes no promise has ended when it returns. */
  #body(
    delivery: Delivery,
    record: TaskRecord,
    all: readonly Terms[],
    held: readonly Lease[],
    leases: readonly Lease[],
  ): Soon<Ended> {
    // What it came with, and has no use for, goes to others at once.
    for (const lease of held) if (!leases.includes(lease)) void lease.release();
    if (this.#host.stopping.aborted) return putBack(delivery, leases);
    const { journal, app, active } = this.#host;
    const startedAt = app.clock.now();
    // One may have been lost while the next was waited for, or while another body kept the event loop.
    if (!leases.every((lease) => lease.check(startedAt))) return putBack(delivery, leases);
    if (this.#host.isRevoked(delivery.message.id)) return this.#unwanted(delivery, record, leases);
    if (journal.hears('task.started')) this.#tellStarted(delivery, all, leases);
    // Before the body tells of its progress. A store keeps what it is given in the order in which it was asked.
    const told = record.settings.trackStates ? journal.keep(delivery, { state: 'started' }) : undefined;
    const run = this.#start(delivery, record, all, leases, startedAt);
    if (!(run.end instanceof Promise)) return this.#judged(run, record, all, run.end, told);
    active.add(run);
    return run.end.then((end) => this.#judged(run, record, all, end, told));
  }

  #judged(
    run: ActiveRun,
    record: TaskRecord,
    all: readonly Terms[],
    end: BodyEnd,
    told: Promise<void> | undefined,
  ): Ended {
    const { journal, app, active, conclusion, admission } = this.#host;
    const { leases } = run;
    const returned = end.kind === 'stuck' ? run.returned() : undefined;
    if (returned) void returned.then(() => active.delete(run));
    else active.delete(run);
    const now = app.clock.now();
    if (all.length > 0) admission.longestRuns.saw(all, now - run.startedAt);
    try {
      const { outcome, state, park } = conclusion.of(run, record, all, end, now);
      return { outcome, state, park, leases, at: now, returned, told };
    } catch (error) {
      // Ours, not the task's; but the permits must go on and the message must end.
      journal.error(error);
      return {
        outcome: { kind: 'aside', reason: `its end could not be judged: ${error}` },
        leases,
        returned,
      };
    } finally {
      if (end.kind !== 'stuck') run.finish();
    }
  }

  #tellStarted(delivery: Delivery, all: readonly Terms[], held: readonly Lease[]): void {
    const { journal, app } = this.#host;
    const { message } = delivery;
    journal.tell('task.started', delivery, {
      attempt: message.retries + 1,
      deferrals: message.deferrals,
      handedOn: held.some(({ turns }) => turns > 1),
      waited: waited(message, app.clock),
      late: late(message, app.clock),
      resources: all.map(({ resource }) => resource),
    });
  }

  #start(
    delivery: Delivery,
    record: TaskRecord,
    all: readonly Terms[],
    leases: readonly Lease[],
    startedAt: number,
  ): ActiveRun {
    const { app, journal, abortGrace } = this.#host;
    const { message } = delivery;
    const permits = leases.map((lease) => lease.open(maxHoldOf(lease, all), giveBack, startedAt));
    const context = new RunContext({
      id: message.id,
      name: message.task,
      attempt: message.retries + 1,
      deferrals: message.deferrals,
      rootId: message.rootId ?? message.id,
      permits,
      report: (progress) => journal.progress(delivery, progress),
    });
    return new ActiveRun({
      delivery,
      record,
      leases,
      permits,
      context,
      clock: app.clock,
      startedAt,
      grace: abortGrace,
    });
  }

  #notAdmitted(delivery: Delivery, error: unknown, held: readonly Lease[]): Ended {
    if (error instanceof ConfigError || error instanceof MessageError) {
      return this.#aside(delivery, error.message, held);
    }
    if (!(error instanceof CoordinatorUnavailableError)) this.#host.journal.error(error);
    return { outcome: { kind: 'again', message: delivery.message, after: 1_000 }, leases: held };
  }

  #aside(delivery: Delivery, reason: string, leases: readonly Lease[]): Ended {
    this.#host.journal.tell('task.aside', delivery, { reason });
    return { outcome: { kind: 'aside', reason }, state: { state: 'aside', reason }, leases };
  }
}

const none: readonly never[] = [];

function heldOf(inHand: Lease | undefined): readonly Lease[] {
  return inHand ? [inHand] : none;
}

/** A body that releases its permit early gives it back for good. */
function giveBack(lease: Lease): Promise<void> {
  return lease.release();
}

function maxHoldOf(lease: Lease, all: readonly Terms[]): number {
  return all.find(({ resource }) => resource === lease.resource)?.maxHold ?? Number.POSITIVE_INFINITY;
}
