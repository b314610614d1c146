import type { Room, RoomRef } from '../brokers/broker.js';
import { CoordinatorUnavailableError } from '../errors.js';
import type { Lease } from '../locks/lease.js';
import { type Limit, permitLimit } from '../locks/limit.js';
import { chain, mayPassOn } from '../locks/local-line.js';
import { type Terms, termsOf } from '../locks/terms.js';
import { Round } from '../round.js';
import { Doorman, type DoormanHost, type Ticket } from './doorman.js';

/** Milliseconds between two slots that a worker without free ones keeps from its queues. */
const claimEvery = 50;

/** So many are looked after at a time, where there are more of them than places in line. */
const lookedAfter = 2_000;

/** The doormen of a worker, one for each resource that has, or may have, messages in its rooms. */
export class Doormen {
  readonly #host: DoormanHost;
  readonly #declared: ReadonlyMap<string, Limit>;
  readonly #doormen = new Map<string, Doorman>();
  readonly #round = new Round(this.#doormen);
  #nextClaim = 0;

  /** `declared`: the limits of this worker's tasks that have a fixed name. */
  constructor(host: DoormanHost, declared: ReadonlyMap<string, Limit>) {
    this.#host = host;
    this.#declared = declared;
    host.leaving.addEventListener('abort', () => this.slotFree(), { once: true });
  }

  /** Whether anything is parked, as far as is known here. */
  get any(): boolean {
    return this.#doormen.size > 0;
  }

  /** It is busy, as far as is known here, so nobody need be asked: somebody stands in line, or was just refused. */
  knowsBusy(resource: string): boolean {
    return this.#doormen.get(resource)?.knowsBusy ?? false;
  }

  /** It has, or may have, messages in its rooms. */
  standsFor(resource: string): boolean {
    return this.#doormen.size > 0 && this.#doormen.has(resource);
  }

  /** A try for it was refused. */
  refused(resource: string): void {
    this.#doormen.get(resource)?.refused();
  }

  /** For a message that is about to be parked on these terms. */
  ticket(terms: Terms, queue: string): Ticket {
    return this.#of(terms).ticket(terms, queue);
  }

  /** A room that has messages, whoever parked them. */
  heard(room: Room): void {
    const { leaving, journal } = this.#host;
    if (leaving.aborted) return;
    try {
      const known = this.#doormen.get(room.resource);
      if (known) known.heard(room);
      else this.#of(this.#termsFor(room)).heard(room);
    } catch (error) {
      journal.error(error);
    }
  }

  /** A slot is free that the queues do not need. */
  slotFree(): void {
    for (const doorman of this.#doormen.values()) doorman.slotFree();
  }

  /**
   * The lease to run the next message of its room under, if there is one to hand on. `slotSoon`: the queues are about to
   * be given another slot, so this one need not be theirs.
   */
  toHandOn(leases: readonly Lease[], slotSoon: boolean): Lease | undefined {
    const { locks, consumer, leaving } = this.#host;
    if (leaving.aborted || this.#doormen.size === 0) return undefined;
    const now = locks.clock.now();
    const most = consumer.idle > 0 || slotSoon ? chain.age : chain.ageWithoutSlot;
    return leases.find((lease) => {
      const age = most * (1 - chain.spread * lease.lot);
      return this.#doormen.has(lease.resource) && mayPassOn(lease, now, age);
    });
  }

  /**
   * A lease for a slot that becomes free, when the queues have kept every slot busy for so long that a room would
   * starve behind them. Not for a slot whose chain has just ended: that one is the queues' to have.
   */
  async claimSlot(ended: readonly Lease[]): Promise<Lease | undefined> {
    const { consumer, leaving, journal, locks } = this.#host;
    if (this.#doormen.size === 0 || consumer.idle > 0 || leaving.aborted) return undefined;
    const now = locks.clock.now();
    if (now < this.#nextClaim || ended.some((lease) => this.#doormen.has(lease.resource))) return undefined;
    this.#nextClaim = now + claimEvery;
    const starved = [...this.#doormen.values()].find((doorman) => doorman.keptWaiting(chain.ageWithoutSlot));
    try {
      return await starved?.tryNow();
    } catch (error) {
      // That its coordinator does not answer is told already, once for all.
      if (!(error instanceof CoordinatorUnavailableError)) journal.error(error);
      return undefined;
    }
  }

  /** What a take of a handed on lease found, if not a message. */
  found(resource: string, weight: number | undefined): void {
    if (weight !== undefined) this.#doormen.get(resource)?.weigh(weight);
  }

  /**
   * Sends those away whose rooms others have emptied. Where they all stand in line they find out for themselves; but where
   * they take turns, thousands would wait for theirs in vain, and those who are needed behind them.
   */
  async dismiss(): Promise<void> {
    const { consumer, places } = this.#host;
    if (!consumer.vacant || !places.scarce) return;
    const dismissals = new Map<string, () => void>();
    for (let looks = 0; looks < lookedAfter; looks++) {
      const doorman = this.#round.next();
      if (!doorman) break;
      const { dismissal, resource } = doorman;
      if (dismissal) dismissals.set(resource, dismissal);
    }
    for (const resource of await consumer.vacant([...dismissals.keys()])) dismissals.get(resource)?.();
  }

  /** The rooms that somebody here stands in line for. */
  get tended(): RoomRef[] {
    return [...this.#doormen.values()].flatMap((doorman) => doorman.tended);
  }

  #of(terms: Terms): Doorman {
    const known = this.#doormen.get(terms.resource);
    if (known) return known;
    const { resource } = terms;
    // One that was dismissed may still be on its way out when the next has come.
    const doorman: Doorman = new Doorman(this.#host, terms, () => {
      if (this.#doormen.get(resource) === doorman) this.#doormen.delete(resource);
    });
    this.#doormen.set(resource, doorman);
    void doorman.tend();
    return doorman;
  }

  /** What this worker would ask for: as its own tasks declare it, else as whoever parked there did. */
  #termsFor({ resource, weight, capacity, countdown }: Room): Terms {
    const { resources } = this.#host.locks.settings;
    const own = this.#declared.get(resource);
    if (own) return termsOf(resources, own, { key: resource, weight });
    const declared = resources.resolve(resource).capacity ?? (capacity > 1 ? capacity : undefined);
    return termsOf(resources, permitLimit(resource, declared, { countdown }), { key: resource, weight });
  }
}
