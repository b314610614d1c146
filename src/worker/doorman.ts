import type { Consumer, Delivery, RoomRef } from '../brokers/broker.js';
import { sleep } from '../clock.js';
import { ConfigError } from '../errors.js';
import { Bell } from '../locks/bell.js';
import type { Lease } from '../locks/lease.js';
import type { Locks } from '../locks/locks.js';
import type { Terms } from '../locks/terms.js';
import type { Journal } from './journal.js';
import type { Place, Places } from './places.js';
import { takeInTime } from './take.js';

/** What a doorman needs of its worker. */
export interface DoormanHost {
  readonly locks: Locks;
  readonly consumer: Consumer;
  readonly journal: Journal;
  readonly places: Places;
  /** Aborts when the worker leaves the lines. */
  readonly leaving: AbortSignal;
  /** Starts a run under the lease, in a slot of its own. */
  readonly start: (delivery: Delivery, lease?: Lease) => void;
  /** The worker does not leave before this is over. */
  readonly during: <T>(work: () => Promise<T>) => Promise<T>;
}

/** How long a refusal is remembered where nobody stands in line, in milliseconds. */
const refusalLife = 50;
/** After an error it goes on, this many milliseconds later. */
const errorPause = 1_000;

/** A message on its way into a room. Its doorman does not leave before it is there. */
export interface Ticket {
  /** Somebody stands in line, or will as soon as a slot is free: now it may be parked. */
  readonly ready: Promise<void>;
  /** It is parked (or could not be). */
  done(): void;
}

/**
 * Stands in line for one resource on behalf of its rooms, and lets their messages in one by one.
 *
 * Invariant: whoever parks a message has somebody in line after that park is settled. Hence a message gets a ticket
 * before it is parked, the doorman stands in line before the ticket is ready, and it leaves only after a take that found
 * the rooms empty and that began when no ticket was out.
 *
 * It stands there only while the worker has a free slot, and gives a permit up at once that it has no use for. If the
 * process dies at any step, its place lapses, and the rooms are found untended after their countdown.
 */
export class Doorman {
  readonly #host: DoormanHost;
  readonly #onLeave: () => void;
  readonly #tickets = new Set<Promise<void>>();
  readonly #slotFree: Bell;
  readonly #rooms = new Map<string, RoomRef>();
  #terms: Terms;
  #weight: number;
  #given = 0;
  #standing = false;
  #place: Place | undefined;
  #isDismissed = false;
  #ready: Promise<void>;
  #isReady!: () => void;
  /** On the clock's `now`: since when it has waited for a slot. */
  #slotlessSince: number | undefined;
  /** On the clock's `now`: until when a refusal is remembered. */
  #refusedUntil = 0;

  constructor(host: DoormanHost, terms: Terms, onLeave: () => void) {
    this.#host = host;
    this.#onLeave = onLeave;
    this.#terms = terms;
    this.#weight = terms.weight;
    this.#slotFree = new Bell(host.locks.clock);
    this.#ready = new Promise((ready) => {
      this.#isReady = ready;
    });
  }

  /** For a message that is about to be parked. */
  ticket(terms: Terms, queue: string): Ticket {
    this.#terms = terms;
    this.heard({ queue, resource: terms.resource });
    let done!: () => void;
    const parked = new Promise<void>((resolve) => {
      done = resolve;
    });
    this.#tickets.add(parked);
    return {
      ready: this.#ready,
      done: () => {
        this.#tickets.delete(parked);
        done();
      },
    };
  }

  /** A room of this resource has messages. */
  heard(room: RoomRef): void {
    this.#given++;
    this.#rooms.set(room.queue, room);
  }

  get resource(): string {
    return this.#terms.resource;
  }

  /** The rooms it stands in line for, while it does. */
  get tended(): readonly RoomRef[] {
    return this.#standing ? [...this.#rooms.values()] : [];
  }

  /** A slot is free, or the worker leaves. */
  slotFree(): void {
    this.#slotFree.ring();
  }

  /** Whether it has been kept waiting for a slot for so long, in milliseconds. */
  keptWaiting(ms: number): boolean {
    return this.#slotlessSince !== undefined && this.#host.locks.clock.now() - this.#slotlessSince >= ms;
  }

  get knowsBusy(): boolean {
    return this.#slotlessSince === undefined || this.#host.locks.clock.now() < this.#refusedUntil;
  }

  refused(): void {
    this.#refusedUntil = this.#host.locks.clock.now() + refusalLife;
  }

  /** A slot is about to become free that the queues would take: a try for a permit, to use it for the rooms instead. */
  async tryNow(): Promise<Lease | undefined> {
    const { locks } = this.#host;
    // Whatever comes of it, the others have their turn before it asks again.
    this.#slotlessSince = locks.clock.now();
    const terms = { ...this.#terms, weight: this.#weight };
    const answer = await locks.party(terms).try(terms, { id: locks.newClaim() });
    return 'kind' in answer ? undefined : answer;
  }

  /** The message that comes first weighs this much. */
  weigh(weight: number): void {
    this.#weight = weight;
  }

  /**
   * Sends it away if nothing has come since now: for one whose rooms are found empty, by a question that is asked after
   * this. Nothing while a ticket is out.
   */
  get dismissal(): (() => void) | undefined {
    if (this.#tickets.size > 0) return undefined;
    const given = this.#given;
    return () => {
      if (!this.#mayLeave(given)) return;
      this.#isDismissed = true;
      this.#leave();
      this.#place?.end();
      this.#slotFree.ring();
    };
  }

  /** Stands in line until the rooms are empty, or the worker leaves. Never rejects. */
  async tend(): Promise<void> {
    const { leaving, journal, locks } = this.#host;
    while (!leaving.aborted && !this.#isDismissed) {
      try {
        if ((await this.#tendOnce()) === 'empty') break;
      } catch (error) {
        if (leaving.aborted) break;
        journal.error(error);
        this.#isReady();
        await sleep(locks.clock, errorPause, { signal: leaving }).catch(() => {});
      }
    }
    this.#isReady();
  }

  async #tendOnce(): Promise<'empty' | 'more'> {
    await this.#slot();
    if (this.#host.leaving.aborted) return 'more';
    try {
      const lease = await this.#stand();
      return lease ? await this.#host.during(() => this.#letIn(lease)) : 'more';
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      return await this.#host.during(() => this.#letInWithout(error));
    }
  }

  /** No permit can ever be granted for the message that comes first: whoever runs it finds out why, and sets it aside. */
  async #letInWithout(error: ConfigError): Promise<'empty' | 'more'> {
    const { consumer, start } = this.#host;
    if (consumer.idle === 0) return 'more';
    const given = this.#given;
    const { resource } = this.#terms;
    const taken = await takeInTime(consumer, this.#host.locks.clock, resource, { weight: this.#weight });
    if (taken.kind === 'taken') start(taken.delivery);
    else if (taken.kind === 'other') this.#weight = taken.weight;
    else if (this.#mayLeave(given)) return this.#leave();
    else throw error;
    return 'more';
  }

  async #slot(): Promise<void> {
    const { consumer, leaving, locks } = this.#host;
    while (consumer.idle === 0 && !leaving.aborted) {
      this.#slotlessSince ??= locks.clock.now();
      this.#isReady();
      await this.#slotFree.wait(Number.POSITIVE_INFINITY);
    }
    this.#slotlessSince = undefined;
  }

  /** Nothing when its turn in the places of this worker ended before it was granted. */
  async #stand(): Promise<Lease | undefined> {
    const { locks, places } = this.#host;
    const place = await places.get(this.#isReady);
    if (this.#isDismissed) {
      place.leave();
      return undefined;
    }
    this.#place = place;
    this.#standing = true;
    const terms = { ...this.#terms, weight: this.#weight };
    const onQueued = () => {
      place.stands();
      this.#isReady();
    };
    try {
      const claim = { id: locks.newClaim() };
      return await locks.party(terms).stand(terms, claim, { signal: place.signal, onQueued });
    } catch (error) {
      if (place.signal.aborted) return undefined;
      throw error;
    } finally {
      this.#standing = false;
      this.#place = undefined;
      place.leave();
      this.#isReady();
    }
  }

  async #letIn(lease: Lease): Promise<'empty' | 'more'> {
    await Promise.all(this.#tickets);
    const given = this.#given;
    const { consumer, leaving, start } = this.#host;
    if (leaving.aborted || consumer.idle === 0) {
      void lease.release();
      return 'more';
    }
    const taken = await this.#take(lease);
    if (taken.kind === 'taken') {
      lease.serves = taken.delivery.message;
      start(taken.delivery, lease);
      return 'more';
    }
    void lease.release();
    if (taken.kind === 'other') this.#weight = taken.weight;
    return taken.kind === 'empty' && this.#mayLeave(given) ? this.#leave() : 'more';
  }

  /** No ticket is out, and none was given since the take began. */
  #mayLeave(given: number): boolean {
    return given === this.#given && this.#tickets.size === 0;
  }

  /** At once, before anybody can get a ticket from one who is about to go. */
  #leave(): 'empty' {
    this.#onLeave();
    return 'empty';
  }

  async #take(lease: Lease) {
    try {
      const { consumer, locks } = this.#host;
      return await takeInTime(consumer, locks.clock, lease.resource, { weight: lease.weight });
    } catch (error) {
      void lease.release();
      throw error;
    }
  }
}
