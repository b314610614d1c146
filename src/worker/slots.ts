import type { Consumer, Delivery, TakeOptions } from '../brokers/broker.js';
import type { Clock } from '../clock.js';
import { inTime } from '../in-time.js';
import type { Lease } from '../locks/lease.js';
import { noScope, scope } from '../locks/scope.js';
import type { Terms } from '../locks/terms.js';
import type { Doormen } from './doormen.js';
import type { Journal } from './journal.js';
import type { Runner } from './run.js';
import { Settlements } from './settlements.js';
import type { Spares } from './spares.js';
import { takeInTime } from './take.js';
import type { Ended } from './verdict.js';

/** As many turns follow each other at once. */
const burst = 250;

/** How long a permit to be handed on waits for the state of the run before to be kept, in milliseconds. */
const longestKeeping = 50;

/** A delivery in a slot, with the lease that came with it. */
interface Turn {
  readonly delivery: Delivery;
  readonly lease?: Lease;
}

/**
 * The slots of a worker. A slot runs one delivery and, as long as its permit may be handed on, the next of the same room:
 * settled and taken in one step of the broker, with no question to the coordinator.
 *
 * If the process dies between the steps: before the outcome is settled, the delivery comes back after the consumer's
 * lease and runs again; after it, a permit not yet given back comes free when its own lease ends. Where the next was taken
 * already, while the result of the run before was on its way, both come back.
 */
export class Slots {
  readonly #runner: Runner;
  readonly #doormen: Doormen;
  readonly #spares: Spares;
  readonly #consumer: Consumer;
  readonly #journal: Journal;
  readonly #clock: Clock;
  readonly #settlements: Settlements;
  #busy = 0;
  /** Of these, those whose delivery is on its way into a room: they are free in a moment. */
  #parking = 0;
  #turns = 0;
  #whenFree: (() => void)[] = [];
  /** States that are on their way, of deliveries that were settled meanwhile. */
  readonly #sending = new Set<Promise<void>>();
  #dead = false;

  constructor(parts: {
    runner: Runner;
    doormen: Doormen;
    spares: Spares;
    consumer: Consumer;
    journal: Journal;
    clock: Clock;
  }) {
    this.#clock = parts.clock;
    this.#runner = parts.runner;
    this.#doormen = parts.doormen;
    this.#spares = parts.spares;
    this.#consumer = parts.consumer;
    this.#journal = parts.journal;
    this.#settlements = new Settlements(parts);
  }

  /** Those that hold a delivery. */
  get busy(): number {
    return this.#busy;
  }

  start(delivery: Delivery, lease?: Lease): void {
    this.#busy++;
    const turn = { delivery, lease };
    // Whatever brought it here, it is no part of the run that has just ended: neither its scope nor its memory.
    if (scope.getStore() === noScope) this.#begin(turn);
    else scope.run(noScope, () => this.#begin(turn));
  }

  /** Does what may start a delivery: until it is over, the slots are not all free. */
  async during<T>(work: () => Promise<T>): Promise<T> {
    this.#busy++;
    try {
      return await work();
    } finally {
      this.#freed();
    }
  }

  /** Resolves when every slot is free, and every state of what ran there is kept. */
  async allFree(): Promise<void> {
    while (this.#busy > 0) await new Promise<void>((resolve) => this.#whenFree.push(resolve));
    await Promise.all(this.#sending);
  }

  /** As a process that dies: what runs may go on, but nobody hears of it. */
  kill(): void {
    this.#dead = true;
    this.#settlements.kill();
  }

  #begin(turn: Turn): void {
    try {
      const ended = this.#runner.run(turn.delivery, turn.lease);
      if (ended instanceof Promise) ended.then((there) => this.#end(turn, there), this.#broken);
      else this.#end(turn, ended);
    } catch (error) {
      this.#broken(error);
    }
  }

  /** Most end plainly. They are told apart for their speed: one whose body made no promise costs none. */
  #end(turn: Turn, ended: Ended): void {
    try {
      if (this.#dead) {
        this.#freed();
      } else if (this.#isPlain(turn.delivery, ended)) {
        this.#giveBack(ended);
        this.#settlements.settle(turn.delivery, ended.outcome, this.#freed);
      } else {
        void this.#goOn(turn, ended);
      }
    } catch (error) {
      this.#broken(error);
    }
  }

  async #goOn(first: Turn, ended: Ended): Promise<void> {
    try {
      let turn = await this.#next(first, ended);
      while (turn) {
        await this.#breathe();
        turn = await this.#next(turn, await this.#runner.run(turn.delivery, turn.lease));
      }
      this.#freed();
    } catch (error) {
      this.#broken(error);
    }
  }

  /** Chains of short runs must leave timers their turn. */
  async #breathe(): Promise<void> {
    if (++this.#turns % burst === 0) await new Promise((resolve) => setImmediate(resolve));
  }

  /** Ours, not the task's: the delivery comes back when this consumer ends. */
  readonly #broken = (error: unknown): void => {
    this.#journal.error(error);
    this.#freed();
  };

  readonly #freed = (): void => {
    this.#busy--;
    if (this.#busy === 0) for (const tell of this.#whenFree.splice(0)) tell();
  };

  async #next({ delivery }: Turn, ended: Ended): Promise<Turn | undefined> {
    if (this.#dead) return undefined;
    if (ended.returned) {
      // The caller need not wait for a body that does not stop.
      await this.#keep(delivery, ended);
      await ended.returned;
    }
    if (this.#dead) return undefined;
    return ended.park ? await this.#park(delivery, ended, ended.park) : await this.#finish(delivery, ended);
  }

  /** Nothing is to be kept, and nothing is parked that a permit could go on to. */
  #isPlain(delivery: Delivery, { state, park, returned }: Ended): boolean {
    return !park && !returned && !this.#doormen.any && !this.#isWanted(delivery, state);
  }

  #isWanted({ message }: Delivery, state: Ended['state']): boolean {
    return state !== undefined && this.#journal.wants(message, state);
  }

  async #park(delivery: Delivery, ended: Ended, terms: Terms): Promise<Turn | undefined> {
    // The room is not kept waiting for the store: whoever stands in line waits for this message to be there.
    if (ended.state) void this.#keep(delivery, ended);
    const ticket = this.#doormen.ticket(terms, delivery.queue);
    this.#parking++;
    try {
      await ticket.ready;
      return await this.#finish(delivery, { ...ended, state: undefined });
    } finally {
      this.#parking--;
      ticket.done();
    }
  }

  /**
   * The permits go on first; then the state is kept, or sent; then the delivery is settled, with the next taken if there is
   * one. The next waits for none of that where a slot is free for it.
   */
  async #finish(delivery: Delivery, ended: Ended): Promise<Turn | undefined> {
    const { outcome, state, leases, returned, park } = ended;
    const isKept = !returned && this.#isWanted(delivery, state);
    const handedOn = this.#doormen.toHandOn(leases, this.#parking > (park ? 1 : 0));
    this.#giveBack(ended, handedOn);
    if (handedOn && isKept && this.#consumer.takesAlone && this.#consumer.idle > 0) {
      void this.during(() => this.#startNext(handedOn));
      await this.#keep(delivery, ended);
      return await this.#settlements.settled(delivery, outcome);
    }
    const kept = isKept ? this.#keepOrSend(delivery, ended) : undefined;
    const next = handedOn ?? (this.#doormen.any ? await this.#doormen.claimSlot(leases) : undefined);
    const inTime = kept === undefined || (next === undefined ? await kept : await this.#soon(kept));
    if (next && inTime !== false) return await this.#takeNext(next, { delivery, outcome });
    void next?.release();
    await kept;
    return await this.#settlements.settled(delivery, outcome);
  }

  /** Nobody waits for this: a release never fails, and whoever stops the worker waits for all of them. */
  #giveBack({ leases, at }: Ended, but?: Lease): undefined {
    const [only] = leases;
    if (only && leases.length === 1 && only !== but && this.#spares.keep(only, at)) return undefined;
    for (const lease of leases) if (lease !== but) void lease.release();
  }

  /** Nothing where it is sent: whoever stops the worker waits for that, and nobody else. */
  #keepOrSend(delivery: Delivery, ended: Ended): Promise<void> | undefined {
    const kept = this.#keep(delivery, ended);
    if (ended.told || !this.#journal.hasSent) return kept;
    this.#sending.add(kept);
    void kept.then(() => this.#sending.delete(kept));
    return undefined;
  }

  async #keep(delivery: Delivery, { state, told }: Ended): Promise<void> {
    if (told) await told;
    if (state) await this.#journal.keep(delivery, state);
  }

  /** A permit waits for the result store, but not for long: others have a use for it. */
  #soon(kept: Promise<void>): Promise<boolean> {
    return inTime(this.#clock, kept, longestKeeping, () => undefined).then(
      () => true,
      () => false,
    );
  }

  async #startNext(lease: Lease): Promise<void> {
    const turn = await this.#takeNext(lease);
    await this.#breathe();
    if (turn) this.start(turn.delivery, turn.lease);
  }

  /** The next of its room, to run under the lease. Where there is none, the lease is given back. */
  async #takeNext(lease: Lease, settling?: TakeOptions['settling']): Promise<Turn | undefined> {
    try {
      const { resource, weight } = lease;
      const taken = await takeInTime(this.#consumer, this.#clock, resource, { weight, settling });
      if (taken.kind === 'taken') {
        lease.turns++;
        lease.serves = taken.delivery.message;
        return { delivery: taken.delivery, lease };
      }
      if (settling && taken.kind === 'void') this.#journal.tell('task.void', settling.delivery, {});
      this.#doormen.found(resource, taken.kind === 'other' ? taken.weight : undefined);
    } catch (error) {
      this.#journal.error(error);
      void lease.release();
      if (settling) await this.#settlements.settled(settling.delivery, settling.outcome);
    }
    await lease.release();
    return undefined;
  }
}
