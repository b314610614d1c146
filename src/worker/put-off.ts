import type { Delivery } from '../brokers/broker.js';
import { changed } from '../changed.js';
import { type Clock, jittered } from '../clock.js';
import { BusyError } from '../errors.js';
import type { Entry } from '../locks/limits.js';
import type { Terms } from '../locks/terms.js';
import type { Message } from '../message.js';
import type { DeferralReason } from '../tasks/events.js';
import { bookingHorizon, movesBeforeWaiting } from './admission.js';
import { failed } from './conclusion.js';
import {
  deferred,
  delayed,
  late,
  longWait,
  maxWaitError,
  parking,
  patienceLeft,
  waited,
} from './deferral.js';
import type { Journal } from './journal.js';
import type { Verdict } from './verdict.js';

/** How long such a message is away, in milliseconds, doubling each time. */
const shortestRound = 50;
const longestRound = 1_000;

type Refused = Exclude<Entry, { kind: 'entered' | 'misconfigured' }>;

/** What becomes of a message whose limits could not be taken: its limit's choice, within its patience. */
export class PutOff {
  readonly #clock: Clock;
  readonly #journal: Journal;

  constructor(clock: Clock, journal: Journal) {
    this.#clock = clock;
    this.#journal = journal;
  }

  refused(delivery: Delivery, asked: Message, refused: Refused): Verdict {
    const { terms } = refused;
    if (refused.kind === 'unavailable') return this.#unavailable(delivery, asked, refused);
    if (refused.kind === 'busy' && refused.ownUntil !== undefined) {
      const waitedFor = { ...asked, losses: delivery.losses };
      return this.#delay(delivery, waitedFor, terms, refused.ownUntil, 'own-permit');
    }
    if (refused.kind !== 'later' && (terms.limit.onBusy === 'skip' || terms.limit.onBusy === 'fail')) {
      const retryAfter = refused.kind === 'busy' ? refused.retryAfter : refused.after;
      return this.#refuse(delivery, terms, retryAfter);
    }
    const after = refused.kind === 'busy' ? 0 : refused.after;
    const patience = patienceLeft(asked, terms, this.#clock);
    if (patience <= 0 || after > patience)
      return failed(this.#journal, delivery, maxWaitError(asked, terms, this.#clock));
    if (refused.kind === 'busy') return this.#busy(delivery, asked, terms);
    const reason = refused.kind === 'later' ? 'booked' : 'busy';
    return this.#delay(delivery, asked, terms, Math.min(after, bookingHorizon), reason);
  }

  /** Not one that does not wait, or has no time left for it. Nor one that was taken from there: something is the matter. */
  mayGoBehind({ room }: Delivery, asked: Message, terms: Terms): boolean {
    const waits = terms.limit.onBusy === 'requeue' && room !== terms.resource;
    return waits && patienceLeft(asked, terms, this.#clock) > 0;
  }

  /**
   * There is room, but older messages of the resource are parked, for whom nobody stood in line: it goes behind them, and
   * its permit and slot go to the first of them.
   */
  behind(delivery: Delivery, asked: Message, terms: Terms): Verdict {
    return this.#park(delivery, asked, terms, 'busy');
  }

  #unavailable(
    delivery: Delivery,
    asked: Message,
    { terms, error }: Extract<Refused, { kind: 'unavailable' }>,
  ): Verdict {
    if (terms.limit.onUnavailable === 'fail') return failed(this.#journal, delivery, error);
    if (patienceLeft(asked, terms, this.#clock) <= 0) {
      return failed(this.#journal, delivery, maxWaitError(asked, terms, this.#clock));
    }
    if (!terms.rate) return this.#park(delivery, asked, terms, 'unavailable');
    return this.#delay(delivery, asked, terms, Math.max(terms.limit.countdown, longestRound), 'unavailable');
  }

  /**
   * Into the room of what it lacks. One that was moved so often that it should wait for its permits in line, and found no
   * slot to do that in, leaves the rooms for a while: otherwise it would go round and round between them.
   */
  #busy(delivery: Delivery, asked: Message, terms: Terms): Verdict {
    const rounds = (asked.moves ?? 0) - movesBeforeWaiting;
    if (rounds < 0 || delivery.room === undefined || delivery.room === terms.resource) {
      return this.#park(delivery, asked, terms, 'busy');
    }
    const after = Math.min(terms.limit.countdown, longestRound, shortestRound * 2 ** rounds);
    const message = moved(asked, delivery, terms);
    return this.#delay(delivery, message, terms, jittered(after), 'busy');
  }

  /** Into the room of the resource, keeping its place by publish order. */
  #park(delivery: Delivery, asked: Message, terms: Terms, reason: DeferralReason): Verdict {
    const message = this.#warn(delivery, moved(deferred(asked, this.#clock), delivery, terms), terms);
    const told = this.#tell(delivery, message, terms, reason);
    return { outcome: { kind: 'again', message, room: parking(message, terms) }, park: terms, ...told };
  }

  #delay(delivery: Delivery, asked: Message, terms: Terms, after: number, reason: DeferralReason): Verdict {
    const put = changed(deferred(asked, this.#clock), { refusedBy: terms.resource });
    const message = this.#warn(delivery, delayed(put, after, this.#clock), terms);
    const told = this.#tell(delivery, message, terms, reason, after);
    return { outcome: { kind: 'again', message, after }, ...told };
  }

  #refuse(delivery: Delivery, terms: Terms, retryAfter: number): Verdict {
    const { resource, limit } = terms;
    if (limit.onBusy === 'fail')
      return failed(
        this.#journal,
        delivery,
        new BusyError(resource, retryAfter, terms.rate ? 'start' : 'permit'),
      );
    this.#journal.tell('task.skipped', delivery, { resource });
    return { outcome: { kind: 'skipped' }, state: { state: 'skipped', reason: `"${resource}" is busy` } };
  }

  #warn(delivery: Delivery, message: Message, { limit, resource }: Terms): Message {
    const long = waited(message, this.#clock);
    if (message.warned || limit.maxWait !== undefined || long < longWait) return message;
    this.#journal.tell('task.waiting', delivery, { resource, waited: long });
    return { ...message, warned: true };
  }

  #tell(
    delivery: Delivery,
    message: Message,
    { resource }: Terms,
    reason: DeferralReason,
    after?: number,
  ): Pick<Verdict, 'state'> {
    this.#journal.tell('task.deferred', delivery, {
      resource,
      reason,
      after,
      deferrals: message.deferrals,
      late: late(delivery.message, this.#clock),
    });
    return { state: { state: 'deferred', resource } };
  }
}

/** One that was taken from a room and is parked in another is counted, so that it does not wander for ever. */
function moved(message: Message, delivery: Delivery, { resource }: Terms): Message {
  if (delivery.room === undefined || delivery.room === resource) return message;
  return changed(message, { moves: (message.moves ?? 0) + 1 });
}
