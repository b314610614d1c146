import type { Clock } from '../clock.js';
import { PermitLostError, ShutdownError, TaskRevokedError } from '../errors.js';
import type { Terms } from '../locks/terms.js';
import { checkSize, checkTravels, toRemoteError } from '../message.js';
import type { Later } from '../tasks/context.js';
import { nextAttempt } from '../tasks/retry.js';
import type { TaskRecord } from '../tasks/task.js';
import type { ActiveRun, BodyEnd } from './active-run.js';
import { deferred, delayed, parking, ran } from './deferral.js';
import type { Journal } from './journal.js';
import type { Verdict } from './verdict.js';

/**
 * What a run came to, judged at the moment its body returned: first by what was taken from it (revoked, permit lost),
 * then by what it says itself. Nothing is awaited here, so the clock that is asked about its permits is asked in time.
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

  /** `now` is when the body returned, on the clock's `now`. */
  of(run: ActiveRun, record: TaskRecord, all: readonly Terms[], end: BodyEnd, now: number): Verdict {
    const lost = lostTerms(run, all, now);
    const { stopped } = run.context;
    if (stopped instanceof TaskRevokedError) return this.#revoked(run);
    if (end.kind === 'stuck') return this.#stuck(run, end.error);
    if (lost) return this.#lost(run, lost);
    switch (end.kind) {
      case 'returned':
        return this.#returned(run, record, end.value, now - run.startedAt);
      case 'overdue':
        return this.#attemptFailed(run, record, end.error);
      case 'later':
        return this.#later(run, record, end.later);
      case 'threw':
        if (stopped instanceof ShutdownError) return this.#shutDown(run);
        return this.#attemptFailed(run, record, end.error);
    }
  }

  #returned({ delivery }: ActiveRun, record: TaskRecord, value: unknown, took: number): Verdict {
    const ignored = delivery.message.ignoreResult ?? record.settings.ignoreResult;
    const wrong = ignored ? undefined : this.#cannotTravel(value, record.name);
    if (wrong) return failed(this.#journal, delivery, wrong);
    this.#journal.tell('task.done', delivery, { took });
    return { outcome: { kind: 'done' }, state: { state: 'done', value } };
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
  #attemptFailed(
    { delivery }: ActiveRun,
    record: TaskRecord,
    error: unknown,
    asked = false,
    delay?: number,
  ): Verdict {
    const { message } = delivery;
    const { retry } = record.settings;
    const policy = asked ? { ...retry, worthIt: () => true } : retry;
    const next = nextAttempt(policy, message.retries, error, message.retry);
    if (next === undefined) return failed(this.#journal, delivery, error);
    const after = delay ?? next;
    this.#journal.tell('task.retried', delivery, { error, attempt: message.retries + 1, after });
    const again = delayed({ ...ran(message), retries: message.retries + 1 }, after, this.#clock);
    return {
      outcome: { kind: 'again', message: again, after },
      state: { state: 'retrying', error: toRemoteError(error) },
    };
  }

  #later(run: ActiveRun, record: TaskRecord, later: Later): Verdict {
    if (later.kind === 'retry') {
      const error = later.error ?? new Error(`"${record.name}" asked for another attempt, and none is left`);
      return this.#attemptFailed(run, record, error, true, later.after);
    }
    const after = later.after ?? 0;
    const { deferrals } = run.delivery.message;
    const message = delayed({ ...ran(run.delivery.message), deferrals: deferrals + 1 }, after, this.#clock);
    const facts = { resource: '', reason: 'asked', after, deferrals: message.deferrals } as const;
    this.#journal.tell('task.deferred', run.delivery, facts);
    return { outcome: { kind: 'again', message, after }, state: { state: 'deferred' } };
  }

  /** The result does not count, for somebody else may hold the permit by now. */
  #lost({ delivery, leases }: ActiveRun, terms: Terms): Verdict {
    this.#journal.tell('task.lost', delivery, { cause: 'permit' });
    if (terms.limit.onLost === 'fail') {
      const error = leases.find(({ lost, resource }) => lost && resource === terms.resource)?.lost;
      return failed(this.#journal, delivery, error ?? new PermitLostError(terms.resource, 'deadline'));
    }
    const message = deferred(ran(delivery.message), this.#clock);
    return { outcome: { kind: 'again', message, room: parking(message, terms) }, park: terms };
  }

  /** Its slot stays taken, but its caller need not wait for ever. */
  #stuck(run: ActiveRun, error: Error): Verdict {
    return error instanceof ShutdownError ? this.#shutDown(run) : failed(this.#journal, run.delivery, error);
  }

  #shutDown({ delivery }: ActiveRun): Verdict {
    this.#journal.tell('task.lost', delivery, { cause: 'shutdown' });
    return { outcome: { kind: 'again', message: ran(delivery.message), after: 0 } };
  }

  #revoked({ delivery }: ActiveRun): Verdict {
    this.#journal.tell('task.revoked', delivery, {});
    return { outcome: { kind: 'skipped' }, state: { state: 'revoked' } };
  }
}

/** The end of a message that is not tried again. */
export function failed(journal: Journal, delivery: ActiveRun['delivery'], error: unknown): Verdict {
  journal.tell('task.failed', delivery, { error });
  return { outcome: { kind: 'failed' }, state: { state: 'failed', error: toRemoteError(error) } };
}

/** The terms of a permit that was lost and whose limit minds. */
function lostTerms(run: ActiveRun, all: readonly Terms[], now: number): Terms | undefined {
  for (const lease of run.leases) {
    if (lease.check(now) || lease.released) continue;
    const terms = all.find(({ resource }) => resource === lease.resource);
    if (terms && terms.limit.onLost !== 'keep') return terms;
  }
  return undefined;
}
