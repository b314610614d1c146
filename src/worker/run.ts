import type { Delivery, Outcome } from '../brokers/broker.js';
import { sleep } from '../clock.js';
import type { Crowd } from '../crowd.js';
import { ConfigError, CoordinatorUnavailableError, MessageError } from '../errors.js';
import type { Lease } from '../locks/lease.js';
import type { Terms } from '../locks/terms.js';
import type { Message } from '../message.js';
import type { App } from '../tasks/app.js';
import { RunContext } from '../tasks/context.js';
import type { TaskRecord } from '../tasks/task.js';
import { ActiveRun } from './active-run.js';
import type { Admission, Admitted } from './admission.js';
import type { Conclusion } from './conclusion.js';
import { patienceLeft } from './deferral.js';
import type { Doormen } from './doormen.js';
import type { Journal } from './journal.js';
import { PutOff } from './put-off.js';

/** How a delivery ended, and what goes on from there. */
export interface Ended {
  readonly outcome: Outcome;
  /** Still held: to be handed on, or given back. */
  readonly leases: readonly Lease[];
  /** The room it goes to: somebody must stand in line for it before it is parked. */
  readonly park?: Terms;
  /** The body has not returned: its slot stays taken until it does. */
  readonly returned?: Promise<void>;
}

export interface RunHost {
  readonly app: App;
  readonly admission: Admission;
  readonly doormen: Doormen;
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
  async run(delivery: Delivery, inHand?: Lease): Promise<Ended> {
    const held = inHand ? [inHand] : none;
    const record = this.#host.app.tasks.get(delivery.message.task);
    if (!record)
      return await this.#aside(delivery, record, `no task "${delivery.message.task}" is known here`, held);
    if (this.#isUnwanted(delivery, record)) return await this.#unwanted(delivery, record, held);
    if (record.limits.length === 0) return await this.#body(delivery, record, none, held, none);
    try {
      const admission = this.#host.admission.enter(delivery, record, inHand);
      const admitted = admission instanceof Promise ? await admission : admission;
      return await this.#admitted(delivery, record, admitted, inHand, held);
    } catch (error) {
      return await this.#notAdmitted(delivery, record, error, held);
    }
  }

  /** Not `async`, and so no promise of its own: every limited task comes through here. */
  #admitted(
    delivery: Delivery,
    record: TaskRecord,
    admitted: Admitted,
    inHand: Lease | undefined,
    held: readonly Lease[],
  ): Promise<Ended> {
    const { entry, all, message } = admitted;
    if (entry.kind !== 'entered') return this.#refused(delivery, record, admitted, inHand, held);
    const [own] = all;
    const behind = own && all.length === 1 && !inHand && this.#host.doormen.waitsForSlot(own.resource);
    if (behind && patienceLeft(message, own, this.#host.app.clock) > 0) {
      const { leases } = entry;
      return this.#putOff.behind(delivery, record, message, own).then((verdict) => ({ ...verdict, leases }));
    }
    return this.#body(withMessage(delivery, message), record, all, held, entry.leases);
  }

  async #refused(
    delivery: Delivery,
    record: TaskRecord,
    admitted: Admitted,
    inHand: Lease | undefined,
    held: readonly Lease[],
  ): Promise<Ended> {
    const { entry } = admitted;
    if (this.#host.stopping.aborted || entry.kind === 'entered') return putBack(delivery, held);
    if (entry.kind === 'misconfigured') return await this.#aside(delivery, record, entry.error.message, held);
    if (entry.kind === 'later' && entry.terms.limit.onBusy === 'wait') {
      return await this.#waitForStart(delivery, record, admitted, entry.after, inHand, held);
    }
    return { ...(await this.#putOff.refused(delivery, record, admitted.message, entry)), leases: held };
  }

  /** The start is booked, and the limit says to wait for it in the slot. */
  async #waitForStart(
    delivery: Delivery,
    record: TaskRecord,
    { message }: Admitted,
    after: number,
    inHand: Lease | undefined,
    held: readonly Lease[],
  ): Promise<Ended> {
    const { clock } = this.#host.app;
    await sleep(clock, after, { signal: this.#host.stopping }).catch(() => {});
    if (this.#host.stopping.aborted) return putBack(delivery, held);
    const again = withMessage(delivery, message);
    return await this.#admitted(
      again,
      record,
      await this.#host.admission.enter(again, record, inHand),
      inHand,
      held,
    );
  }

  /** Revoked, expired, or in the hands of too many workers that died. */
  #isUnwanted({ revoked, message, losses }: Delivery, { settings }: TaskRecord): boolean {
    return revoked || this.#host.isRevoked(message.id) || this.#isLate(message) || losses > settings.maxLost;
  }

  #isLate({ expires }: Message): boolean {
    return expires !== undefined && this.#host.app.clock.wall() >= expires;
  }

  async #unwanted(delivery: Delivery, record: TaskRecord, leases: readonly Lease[]): Promise<Ended> {
    const { journal } = this.#host;
    const { message, losses } = delivery;
    const revoked = delivery.revoked || this.#host.isRevoked(message.id);
    if (revoked || this.#isLate(message)) {
      await journal.keep(delivery, record, { state: revoked ? 'revoked' : 'expired' });
      journal.tell(revoked ? 'task.revoked' : 'task.expired', delivery, {});
      return { outcome: { kind: 'skipped' }, leases };
    }
    const reason = `${losses} workers died while they ran it, and maxLost is ${record.settings.maxLost}`;
    return await this.#aside(delivery, record, reason, leases);
  }

  async #body(
    delivery: Delivery,
    record: TaskRecord,
    all: readonly Terms[],
    held: readonly Lease[],
    entered: readonly Lease[],
  ): Promise<Ended> {
    const leases = held.length === 0 ? entered : [...new Set([...held, ...entered])];
    if (this.#host.stopping.aborted) return putBack(delivery, leases);
    // One may have been lost while the next was waited for.
    if (!entered.every((lease) => lease.check())) return putBack(delivery, leases);
    if (this.#host.isRevoked(delivery.message.id)) return await this.#unwanted(delivery, record, leases);
    const { journal, app, active, conclusion } = this.#host;
    const startedAt = app.clock.now();
    const { retries, deferrals } = delivery.message;
    journal.tell('task.started', delivery, { attempt: retries + 1, deferrals, handedOn: held.length > 0 });
    const run = this.#start(delivery, record, all, entered);
    active.add(run);
    if (record.settings.trackStates) await journal.pass(delivery, record, { state: 'started' });
    const end = await run.end;
    if (end.kind === 'stuck') void run.returned.then(() => active.delete(run));
    else active.delete(run);
    const took = app.clock.now() - startedAt;
    if (all.length > 0) this.#host.admission.ran(took);
    const returned = end.kind === 'stuck' ? run.returned : undefined;
    try {
      return { ...(await conclusion.of(run, record, all, end, took)), leases, returned };
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

  #start(delivery: Delivery, record: TaskRecord, all: readonly Terms[], leases: readonly Lease[]): ActiveRun {
    const { app, journal, abortGrace } = this.#host;
    const { message } = delivery;
    const permits = leases.map((lease) => lease.open(maxHoldOf(lease, all), giveBack));
    const context = new RunContext({
      id: message.id,
      name: message.task,
      attempt: message.retries + 1,
      deferrals: message.deferrals,
      rootId: message.rootId ?? message.id,
      permits,
      report: (progress) => journal.progress(delivery, record, progress),
    });
    return new ActiveRun({ delivery, record, leases, permits, context, clock: app.clock, grace: abortGrace });
  }

  async #notAdmitted(
    delivery: Delivery,
    record: TaskRecord,
    error: unknown,
    held: readonly Lease[],
  ): Promise<Ended> {
    if (error instanceof ConfigError || error instanceof MessageError) {
      return await this.#aside(delivery, record, error.message, held);
    }
    if (!(error instanceof CoordinatorUnavailableError)) this.#host.journal.error(error);
    return { outcome: { kind: 'again', message: delivery.message, after: 1_000 }, leases: held };
  }

  async #aside(
    delivery: Delivery,
    record: TaskRecord | undefined,
    reason: string,
    leases: readonly Lease[],
  ): Promise<Ended> {
    await this.#host.journal.keep(delivery, record, { state: 'aside', reason });
    this.#host.journal.tell('task.aside', delivery, { reason });
    return { outcome: { kind: 'aside', reason }, leases };
  }
}

const none: readonly never[] = [];

/** The delivery with what was worked out about its message, so that whoever has it next need not do it again. */
function withMessage(delivery: Delivery, message: Message): Delivery {
  if (message === delivery.message) return delivery;
  const { queue, room, losses, revoked } = delivery;
  return {
    message,
    queue,
    room,
    losses,
    revoked,
    settle: (outcome) => delivery.settle(outcome),
  };
}

/** The worker stops: the message goes back as it came. */
function putBack(delivery: Delivery, leases: readonly Lease[]): Ended {
  return { outcome: { kind: 'again', message: delivery.message, after: 0 }, leases };
}

/** A body that releases its permit early gives it back for good. */
function giveBack(lease: Lease): Promise<void> {
  return lease.release();
}

function maxHoldOf(lease: Lease, all: readonly Terms[]): number {
  return all.find(({ resource }) => resource === lease.resource)?.maxHold ?? Number.POSITIVE_INFINITY;
}
