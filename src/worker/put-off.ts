import type { Delivery } from '../brokers/broker.js';
import { type Clock, jittered } from '../clock.js';
import { BusyError } from '../errors.js';
import type { Entry } from '../locks/limits.js';
import type { Terms } from '../locks/terms.js';
import type { Message } from '../message.js';
import type { DeferralReason } from '../tasks/events.js';
import type { TaskRecord } from '../tasks/task.js';
import { bookingHorizon, movesBeforeWaiting } from './admission.js';
import { deferred, longWait, maxWaitError, parking, patienceLeft, waited } from './deferral.js';
import type { Journal } from './journal.js';
import type { Ended } from './run.js';

/** How long such a message is away, in milliseconds, doubling each time. */
const shortestRound = 50;
const longestRound = 1_000;

type Refused = Exclude<Entry, { kind: 'entered' | 'misconfigured' }>;
type Verdict = Pick<Ended, 'outcome' | 'park'>;

/** What becomes of a message whose limits could not be taken: its limit's choice, within its patience. */
export class PutOff {
  readonly #clock: Clock;
  readonly #journal: Journal;

  constructor(clock: Clock, journal: Journal) {
    this.#clock = clock;
    this.#journal = journal;
  }

  async refused(delivery: Delivery, record: TaskRecord, asked: Message, refused: Refused): Promise<Verdict> {
    const { terms } = refused;
    if (refused.kind === 'unavailable') return await this.#unavailable(delivery, record, asked, refused);
    if (refused.kind === 'busy' && refused.ownUntil !== undefined) {
      const waitedFor = { ...asked, losses: delivery.losses };
      return await this.#delay(delivery, record, waitedFor, terms, refused.ownUntil, 'own-permit');
    }
    if (refused.kind !== 'later' && (terms.limit.onBusy === 'skip' || terms.limit.onBusy === 'fail')) {
      const retryAfter = refused.kind === 'busy' ? refused.retryAfter : refused.after;
      return await this.#refuse(delivery, record, terms, retryAfter);
    }
    const after = refused.kind === 'busy' ? 0 : refused.after;
    const patience = patienceLeft(asked, terms, this.#clock);
    if (patience <= 0 || after > patience)
      return await this.#fail(delivery, record, maxWaitError(asked, terms, this.#clock));
    if (refused.kind === 'busy') return await this.#busy(delivery, record, asked, terms);
    const reason = refused.kind === 'later' ? 'booked' : 'busy';
    return await this.#delay(delivery, record, asked, terms, Math.min(after, bookingHorizon), reason);
  }

  /**
   * There is room, but older messages of the resource are parked, for whom this worker had no slot: it goes behind them,
   * and its permit and slot go to the first of them.
   */
  behind(delivery: Delivery, record: TaskRecord, asked: Message, terms: Terms): Promise<Verdict> {
    return this.#park(delivery, record, asked, terms, 'busy');
  }

  async #unavailable(
    delivery: Delivery,
    record: TaskRecord,
    asked: Message,
    { terms, error }: Extract<Refused, { kind: 'unavailable' }>,
  ): Promise<Verdict> {
    if (terms.limit.onUnavailable === 'fail') return await this.#fail(delivery, record, error);
    if (patienceLeft(asked, terms, this.#clock) <= 0) {
      return await this.#fail(delivery, record, maxWaitError(asked, terms, this.#clock));
    }
    if (!terms.rate) return await this.#park(delivery, record, asked, terms, 'unavailable');
    return await this.#delay(delivery, record, asked, terms, terms.limit.countdown, 'unavailable');
  }

  /**
   * Into the room of what it lacks. One that was moved so often that it should wait for its permits in line, and found no
   * slot to do that in, leaves the rooms for a while: otherwise it would go round and round between them.
   */
  async #busy(delivery: Delivery, record: TaskRecord, asked: Message, terms: Terms): Promise<Verdict> {
    const rounds = (asked.moves ?? 0) - movesBeforeWaiting;
    if (rounds < 0 || delivery.room === undefined || delivery.room === terms.resource) {
      return await this.#park(delivery, record, asked, terms, 'busy');
    }
    const after = Math.min(terms.limit.countdown, longestRound, shortestRound * 2 ** rounds);
    const message = moved(asked, delivery, terms);
    return await this.#delay(delivery, record, message, terms, jittered(after), 'busy');
  }

  /** Into the room of the resource, keeping its place by publish order. */
  async #park(
    delivery: Delivery,
    record: TaskRecord,
    asked: Message,
    terms: Terms,
    reason: DeferralReason,
  ): Promise<Verdict> {
    const message = this.#warn(delivery, moved(deferred(asked, this.#clock), delivery, terms), terms);
    await this.#tell(delivery, record, message, terms, reason);
    return { outcome: { kind: 'again', message, room: parking(message, terms) }, park: terms };
  }

  async #delay(
    delivery: Delivery,
    record: TaskRecord,
    asked: Message,
    terms: Terms,
    after: number,
    reason: DeferralReason,
  ): Promise<Verdict> {
    const message = this.#warn(delivery, deferred(asked, this.#clock), terms);
    await this.#tell(delivery, record, message, terms, reason, after);
    return { outcome: { kind: 'again', message, after } };
  }

  async #refuse(delivery: Delivery, record: TaskRecord, terms: Terms, retryAfter: number): Promise<Verdict> {
    const { resource, limit } = terms;
    if (limit.onBusy === 'fail')
      return await this.#fail(delivery, record, new BusyError(resource, retryAfter));
    await this.#journal.keep(delivery, record, { state: 'skipped', reason: `"${resource}" is busy` });
    this.#journal.tell('task.skipped', delivery, { resource });
    return { outcome: { kind: 'skipped' } };
  }

  async #fail(delivery: Delivery, record: TaskRecord, error: Error): Promise<Verdict> {
    await this.#journal.failed(delivery, record, error);
    return { outcome: { kind: 'failed' } };
  }

  #warn(delivery: Delivery, message: Message, { limit, resource }: Terms): Message {
    const long = waited(message, this.#clock);
    if (message.warned || limit.maxWait !== undefined || long < longWait) return message;
    this.#journal.tell('task.waiting', delivery, { resource, waited: long });
    return { ...message, warned: true };
  }

  async #tell(
    delivery: Delivery,
    record: TaskRecord,
    message: Message,
    { resource }: Terms,
    reason: DeferralReason,
    after?: number,
  ): Promise<void> {
    if (record.settings.trackStates)
      await this.#journal.pass(delivery, record, { state: 'deferred', resource });
    this.#journal.tell('task.deferred', delivery, { resource, reason, after, deferrals: message.deferrals });
  }
}

/** One that was taken from a room and is parked in another is counted, so that it does not wander for ever. */
function moved(message: Message, delivery: Delivery, { resource }: Terms): Message {
  if (delivery.room === undefined || delivery.room === resource) return message;
  return { ...message, moves: (message.moves ?? 0) + 1 };
}
