import type { Clock } from '../clock.js';
import { PermitLostError, ShutdownError, TaskRevokedError } from '../errors.js';
import type { Terms } from '../locks/terms.js';
import { checkSize, checkTravels, toRemoteError } from '../message.js';
import type { Later } from '../tasks/context.js';
import { nextAttempt } from '../tasks/retry.js';
import type { TaskRecord } from '../tasks/task.js';
import type { ActiveRun, BodyEnd } from './active-run.js';
import { deferred, parking, ran } from './deferral.js';
import type { Journal } from './journal.js';
import type { Ended } from './run.js';

type Verdict = Pick<Ended, 'outcome' | 'park'>;

/**
 * What a run came to, judged at the moment its body returned: first by what was taken from it (revoked, permit lost),
 * then by what it says itself.
 */
export class Conclusion {
  readonly #clock: Clock;
  readonly #journal: Journal;
  readonly #maxBytes: number;

  constructor(clock: Clock, journal: Journal, maxBytes: number) {
    this.#clock = clock;
    this.#journal = journal;
    this.#maxBytes = maxBytes;
  }

  async of(
    run: ActiveRun,
    record: TaskRecord,
    all: readonly Terms[],
    end: BodyEnd,
    took: number,
  ): Promise<Verdict> {
    // The clock is asked before anything is awaited: a result counts that was there before the deadline.
    const lost = lostTerms(run, all);
    const { stopped } = run.context;
    if (stopped instanceof TaskRevokedError) return await this.#revoked(run, record);
    if (end.kind === 'stuck') return await this.#stuck(run, record, end.error);
    if (lost) return await this.#lost(run, record, lost);
    switch (end.kind) {
      case 'returned':
        return await this.#returned(run, record, end.value, took);
      case 'overdue':
        return await this.#attemptFailed(run, record, end.error);
      case 'later':
        return await this.#later(run, record, end.later);
      case 'threw':
        if (stopped instanceof ShutdownError) return this.#shutDown(run);
        return await this.#attemptFailed(run, record, end.error);
    }
  }

  async #returned(run: ActiveRun, record: TaskRecord, value: unknown, took: number): Promise<Verdict> {
    const { delivery } = run;
    if (!(delivery.message.ignoreResult ?? record.settings.ignoreResult)) {
      const wrong = this.#cannotTravel(value, record.name);
      if (wrong) return await this.#failed(run, record, wrong);
      await this.#journal.keep(delivery, record, { state: 'done', value });
    }
    this.#journal.tell('task.done', delivery, { took });
    return { outcome: { kind: 'done' } };
  }

  /** The work is done, so there is no other attempt; but a result that would not arrive as it is must not pass. */
  #cannotTravel(value: unknown, name: string): unknown {
    if (value === undefined) return undefined;
    try {
      const what = `The result of "${name}"`;
      if (checkTravels(value, what) > this.#maxBytes) checkSize(JSON.stringify(value), this.#maxBytes, what);
      return undefined;
    } catch (error) {
      return error;
    }
  }

  /** `asked`: the body itself wants another attempt, whatever its policy thinks of the error. */
  async #attemptFailed(
    run: ActiveRun,
    record: TaskRecord,
    error: unknown,
    asked = false,
    delay?: number,
  ): Promise<Verdict> {
    const { delivery } = run;
    const { message } = delivery;
    const { retry } = record.settings;
    const policy = asked ? { ...retry, worthIt: () => true } : retry;
    const next = nextAttempt(policy, message.retries, error, message.retry);
    if (next === undefined) return await this.#failed(run, record, error);
    const after = delay ?? next;
    await this.#journal.keep(delivery, record, { state: 'retrying', error: toRemoteError(error) });
    this.#journal.tell('task.retried', delivery, { error, attempt: message.retries + 1, after });
    return { outcome: { kind: 'again', message: { ...ran(message), retries: message.retries + 1 }, after } };
  }

  async #failed(run: ActiveRun, record: TaskRecord, error: unknown): Promise<Verdict> {
    await this.#journal.failed(run.delivery, record, error);
    return { outcome: { kind: 'failed' } };
  }

  async #later(run: ActiveRun, record: TaskRecord, later: Later): Promise<Verdict> {
    if (later.kind === 'retry') {
      const error = later.error ?? new Error(`"${record.name}" asked for another attempt, and none is left`);
      return await this.#attemptFailed(run, record, error, true, later.after);
    }
    const message = { ...ran(run.delivery.message), deferrals: run.delivery.message.deferrals + 1 };
    const after = later.after ?? 0;
    const facts = { resource: '', reason: 'asked', after, deferrals: message.deferrals } as const;
    await this.#journal.pass(run.delivery, record, { state: 'deferred' });
    this.#journal.tell('task.deferred', run.delivery, facts);
    return { outcome: { kind: 'again', message, after } };
  }

  /** The result does not count, for somebody else may hold the permit by now. */
  async #lost(run: ActiveRun, record: TaskRecord, terms: Terms): Promise<Verdict> {
    const { delivery } = run;
    this.#journal.tell('task.lost', delivery, { cause: 'permit' });
    if (terms.limit.onLost === 'fail') {
      const error = run.leases.find(({ lost, resource }) => lost && resource === terms.resource)?.lost;
      return await this.#failed(run, record, error ?? new PermitLostError(terms.resource, 'deadline'));
    }
    const message = deferred(ran(delivery.message), this.#clock);
    return { outcome: { kind: 'again', message, room: parking(message, terms) }, park: terms };
  }

  /** Its slot stays taken, but its caller need not wait for ever. */
  async #stuck(run: ActiveRun, record: TaskRecord, error: Error): Promise<Verdict> {
    if (error instanceof ShutdownError) return this.#shutDown(run);
    return await this.#failed(run, record, error);
  }

  #shutDown({ delivery }: ActiveRun): Verdict {
    this.#journal.tell('task.lost', delivery, { cause: 'shutdown' });
    return { outcome: { kind: 'again', message: ran(delivery.message), after: 0 } };
  }

  async #revoked({ delivery }: ActiveRun, record: TaskRecord): Promise<Verdict> {
    await this.#journal.keep(delivery, record, { state: 'revoked' });
    this.#journal.tell('task.revoked', delivery, {});
    return { outcome: { kind: 'skipped' } };
  }
}

/** The terms of a permit that was lost and whose limit minds. */
function lostTerms(run: ActiveRun, all: readonly Terms[]): Terms | undefined {
  for (const lease of run.leases) {
    if (lease.check() || lease.released) continue;
    const terms = all.find(({ resource }) => resource === lease.resource);
    if (terms && terms.limit.onLost !== 'keep') return terms;
  }
  return undefined;
}
