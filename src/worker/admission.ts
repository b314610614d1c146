import type { Delivery } from '../brokers/broker.js';
import { changed } from '../changed.js';
import { MessageError } from '../errors.js';
import type { Lease } from '../locks/lease.js';
import { defaultWaitTimeout } from '../locks/limit.js';
import {
  allTerms,
  type EnterOptions,
  type Entry,
  sharesOf,
  tryAll,
  tryOne,
  waitForAll,
} from '../locks/limits.js';
import { chain } from '../locks/local-line.js';
import type { Locks } from '../locks/locks.js';
import type { Terms } from '../locks/terms.js';
import type { Message } from '../message.js';
import type { Soon } from '../soon.js';
import { argumentsOf } from '../tasks/arguments.js';
import type { TaskRecord } from '../tasks/task.js';
import { patienceLeft } from './deferral.js';
import type { Doormen } from './doormen.js';
import { LongestRuns } from './longest-runs.js';
import type { Spares } from './spares.js';

/** The farthest a start is booked ahead, in milliseconds. */
export const bookingHorizon = 3_600_000;

/** A message that was moved from room to room so often waits in line for its permits, one after the other. */
export const movesBeforeWaiting = 3;

/** What an admission needs to know of its worker. */
export interface AdmissionHost {
  readonly locks: Locks;
  readonly concurrency: number;
  /** Milliseconds after which what a dead worker had in hand is delivered again. */
  readonly lease: number;
  readonly doormen: Pick<Doormen, 'any' | 'knowsBusy' | 'refused'>;
  readonly spares: Pick<Spares, 'take' | 'giveBack'>;
  /** Aborts when the worker stops. */
  readonly stopping: AbortSignal;
}

/** The message with its shares, all that it asks for, and how that went. */
export interface Admitted {
  readonly message: Message;
  readonly all: readonly Terms[];
  readonly entry: Entry;
}

/** Takes a message's limits, all or none. */
export class Admission {
  readonly #host: AdmissionHost;
  /** The terms of tasks whose limits depend on no arguments. */
  readonly #fixed = new Map<TaskRecord, readonly Terms[]>();
  #waiting = 0;
  /** Messages that wait in their slots. */
  readonly #inSlots = new Map<string, AbortController>();
  readonly longestRuns = new LongestRuns();

  constructor(host: AdmissionHost) {
    this.#host = host;
  }

  /** Milliseconds for which it may be waited for in the slot, when its limit says so. */
  patience(message: Message, terms: Terms, most: number = waitTimeout(terms)): number {
    const { clock } = this.#host.locks;
    const untilExpiry = (message.expires ?? Number.POSITIVE_INFINITY) - clock.wall();
    return Math.max(0, Math.min(most, untilExpiry, patienceLeft(message, terms, clock)));
  }

  /** Rejects, or throws, only with `MessageError` and `ConfigError`: for a message that can never be admitted. */
  enter(delivery: Delivery, record: TaskRecord, inHand: Lease | undefined): Soon<Admitted> {
    const { locks } = this.#host;
    const asked = this.#withShares(delivery.message, record);
    const all = asked.shares ? allTerms(locks, record.limits, asked.shares) : this.#fixedTerms(record);
    const rated = all.length > 0 && all[all.length - 1]?.rate !== undefined;
    const message = rated ? changed(asked, { booking: asked.booking ?? locks.newClaim() }) : asked;
    const entry = this.#enter(delivery, message, all, inHand);
    return entry instanceof Promise
      ? entry.then((there) => admitted(message, all, there))
      : { message, all, entry };
  }

  #enter(
    delivery: Delivery,
    message: Message,
    all: readonly Terms[],
    inHand: Lease | undefined,
  ): Soon<Entry> {
    const lasting = this.#outlasting(delivery, all);
    if (lasting) return lasting;
    if (inHand && delivery.losses > 0) return this.#enterAgain(delivery, message, all, inHand);
    if (this.#mustWaitInOrder(message, all)) return this.#waitInOrder(delivery, message, all, inHand);
    const busy = this.#knownBusy(delivery, all, inHand);
    if (busy) return { kind: 'busy', retryAfter: 0, terms: busy };
    const entry = this.#try(delivery, message, all, inHand);
    if (entry instanceof Promise) {
      return entry.then((there) => this.#tried(delivery, message, all, inHand, there));
    }
    return this.#tried(delivery, message, all, inHand, entry);
  }

  /** Mostly it is one permit. That asks for as little as can be: every limited task comes through here. */
  #try(delivery: Delivery, message: Message, all: readonly Terms[], inHand: Lease | undefined): Soon<Entry> {
    const { locks, spares } = this.#host;
    const [only] = all;
    if (!only || all.length > 1 || only.rate || inHand) {
      spares.giveBack();
      return tryAll(locks, all, this.#options(delivery, message, inHand));
    }
    const spare = spares.take(only, delivery);
    if (spare) return { kind: 'entered', leases: [spare] };
    const redelivered = delivery.losses > 0 || undefined;
    return tryOne(locks, only, {
      id: locks.newClaim(),
      task: message.task,
      message: message.id,
      redelivered,
    });
  }

  #tried(
    delivery: Delivery,
    message: Message,
    all: readonly Terms[],
    inHand: Lease | undefined,
    entry: Entry,
  ): Soon<Entry> {
    if (entry.kind !== 'busy') return entry;
    this.#host.doormen.refused(entry.terms.resource);
    const holdsSlot = entry.ownUntil === undefined && entry.terms.limit.onBusy === 'wait';
    if (!holdsSlot) return entry;
    const options = this.#options(delivery, message, inHand);
    return this.#wait(message, all, options, (terms) => this.patience(message, terms));
  }

  #options(delivery: Delivery, message: Message, inHand: Lease | undefined): EnterOptions {
    return {
      claim: { task: message.task, message: message.id, redelivered: delivery.losses > 0 || undefined },
      inHand,
      booking: message.booking ?? '',
      reach: (terms) => this.#reach(message, terms),
    };
  }

  /** The publisher's shares stand. One that does not know the task sent none; one that knew another version, others. */
  #withShares(message: Message, record: TaskRecord): Message {
    const known = message.shares
      ? message.shares.length === record.limits.length
      : record.fixed !== undefined;
    if (known) return message;
    try {
      const shares = sharesOf(this.#host.locks, record.limits, argumentsOf(record, message));
      return changed(message, { shares });
    } catch (error) {
      throw new MessageError(`its limits could not be worked out: ${(error as Error).message}`, {
        cause: error,
      });
    }
  }

  #fixedTerms(record: TaskRecord): readonly Terms[] {
    const known = this.#fixed.get(record);
    if (known) return known;
    const all = allTerms(this.#host.locks, record.limits, record.fixed ?? []);
    this.#fixed.set(record, all);
    return all;
  }

  /** One that was taken from the room without a permit asks again: something is the matter with it. */
  #knownBusy(delivery: Delivery, all: readonly Terms[], inHand: Lease | undefined): Terms | undefined {
    const { doormen } = this.#host;
    if (!doormen.any) return undefined;
    return all.find((terms) => {
      const { rate, resource, limit } = terms;
      if (rate || limit.onBusy !== 'requeue') return false;
      if (resource === inHand?.resource || resource === delivery.room) return false;
      return doormen.knowsBusy(resource) && !this.#goesWithout(terms);
    });
  }

  /** The coordinator does not answer, and the limit does not wait for it. */
  #goesWithout(terms: Terms): boolean {
    return terms.limit.onUnavailable !== 'requeue' && this.#host.locks.party(terms).outage !== undefined;
  }

  /** Waiting takes up the slot, so no more than half of the slots may do it. */
  #mustWaitInOrder(message: Message, all: readonly Terms[]): boolean {
    if ((message.moves ?? 0) < movesBeforeWaiting) return false;
    const room = Math.max(1, Math.floor(this.#host.concurrency / 2));
    return this.#waiting < room && all.filter((terms) => !terms.rate).length > 1;
  }

  async #waitInOrder(
    delivery: Delivery,
    message: Message,
    all: readonly Terms[],
    inHand: Lease | undefined,
  ): Promise<Entry> {
    const options = this.#options(delivery, message, inHand);
    const most = (terms: Terms) =>
      Math.max(waitTimeout(terms), chain.age + this.longestRuns.of(terms.resource));
    this.#waiting++;
    try {
      return await this.#wait(message, all, options, (terms) => this.patience(message, terms, most(terms)));
    } finally {
      this.#waiting--;
    }
  }

  async #wait(
    message: Message,
    all: readonly Terms[],
    options: EnterOptions,
    patience: (terms: Terms) => number,
  ): Promise<Entry> {
    const since = message.deferredAt ?? this.#host.locks.clock.wall();
    const { signal, done } = this.callable(message.id);
    try {
      const entry = await waitForAll(this.#host.locks, all, { ...options, patience, signal });
      return entry.kind === 'busy' ? { ...entry, since } : entry;
    } finally {
      done();
    }
  }

  /** For a message that waits in its slot: aborts when the worker stops, or has something to tell it. */
  callable(id: string): { signal: AbortSignal; done: () => void } {
    const called = new AbortController();
    this.#inSlots.set(id, called);
    const signal = AbortSignal.any([this.#host.stopping, called.signal]);
    return { signal, done: () => this.#inSlots.delete(id) };
  }

  /** It was revoked, so it need not wait any longer. */
  call(id: string): void {
    this.#inSlots.get(id)?.abort();
  }

  #reach(message: Message, terms: Terms): number {
    const { onBusy } = terms.limit;
    if (onBusy === 'skip' || onBusy === 'fail') return 0;
    if (onBusy === 'wait') return this.patience(message, terms);
    return Math.max(0, Math.min(bookingHorizon, patienceLeft(message, terms, this.#host.locks.clock)));
  }

  /**
   * The permits of a worker that died end one of their leases after it. A message that comes back sooner waits for that,
   * for a permit that was handed on does not tell which message it was for.
   */
  #outlasting({ losses, message }: Delivery, all: readonly Terms[]): Entry | undefined {
    if (losses <= (message.losses ?? 0)) return undefined;
    const [longest] = all.filter(({ rate }) => !rate).sort((a, b) => b.lease - a.lease);
    if (!longest || longest.lease <= this.#host.lease) return undefined;
    return { kind: 'busy', retryAfter: 0, ownUntil: longest.lease - this.#host.lease, terms: longest };
  }

  /**
   * A message that outlived a worker may still be running there, under a permit of its own. The coordinator refuses such
   * a claim by itself; a permit in hand needs no claim, so it is looked up.
   */
  async #enterAgain(
    delivery: Delivery,
    message: Message,
    all: readonly Terms[],
    inHand: Lease,
  ): Promise<Entry> {
    const { locks } = this.#host;
    const terms = all.find(({ resource }) => resource === inHand.resource);
    const { holders } = await locks.inspect(inHand.resource);
    const own = holders.find((holder) => holder.message === message.id && holder.id !== inHand.id);
    if (!own || !terms) return await tryAll(locks, all, this.#options(delivery, message, inHand));
    return { kind: 'busy', retryAfter: 0, ownUntil: Math.max(1, own.until - locks.clock.wall()), terms };
  }
}

function waitTimeout({ limit }: Terms): number {
  return limit.waitTimeout ?? defaultWaitTimeout;
}

/** Its waiting in the slot is part of its being put off. */
function admitted(message: Message, all: readonly Terms[], entry: Entry): Admitted {
  const waited = entry.kind === 'busy' && entry.since !== undefined;
  return { message: waited ? changed(message, { deferredAt: entry.since }) : message, all, entry };
}
