import type { Delivery, Outcome } from '../brokers/broker.js';
import { type Clock, sleep } from '../clock.js';
import { ClosedError } from '../errors.js';
import type { Journal } from './journal.js';

/** A settlement that failed is repeated after these pauses, in milliseconds; the last one again and again. */
const pauses = [100, 500, 2_000];

interface Settlement {
  readonly delivery: Delivery;
  readonly outcome: Outcome;
  readonly over: () => void;
}

/** Until the broker says yes or no: a delivery that is not settled keeps its slot, and its message from everybody. */
export class Settlements {
  readonly #journal: Journal;
  readonly #clock: Clock;
  #dead = false;
  /** What the broker answers at once. */
  #latest: { readonly answer: Promise<boolean>; readonly settlements: Settlement[] } | undefined;

  constructor({ journal, clock }: { journal: Journal; clock: Clock }) {
    this.#journal = journal;
    this.#clock = clock;
  }

  /** As a process that dies: nothing is settled any more. */
  kill(): void {
    this.#dead = true;
  }

  /** Calls `over` when it is known. Those of which the broker tells by one promise cost one between them. */
  settle(delivery: Delivery, outcome: Outcome, over: () => void): void {
    const answer = delivery.settle(outcome);
    const settlement = { delivery, outcome, over };
    if (this.#latest?.answer === answer) {
      this.#latest.settlements.push(settlement);
      return;
    }
    const settlements = [settlement];
    this.#latest = { answer, settlements };
    answer.then(
      (settled) => this.#answered(settlements, settled),
      () => this.#failed(settlements, answer),
    );
  }

  #answered(settlements: readonly Settlement[], settled: boolean): void {
    this.#forget(settlements);
    for (const { delivery, over } of settlements) {
      if (!settled) this.#journal.tell('task.void', delivery, {});
      over();
    }
  }

  #failed(settlements: readonly Settlement[], answer: Promise<boolean>): void {
    this.#forget(settlements);
    for (const { delivery, outcome, over } of settlements) {
      void this.settled(delivery, outcome, answer).then(over);
    }
  }

  /** Messages may be large: an answered one is not kept until the next comes. */
  #forget(settlements: readonly Settlement[]): void {
    if (this.#latest?.settlements === settlements) this.#latest = undefined;
  }

  /** Resolves when it is known; `answer` is what the broker was asked already. */
  async settled(delivery: Delivery, outcome: Outcome, answer?: Promise<boolean>): Promise<undefined> {
    for (let tries = 0; !this.#dead; tries++) {
      try {
        const settled = await (tries === 0 && answer ? answer : delivery.settle(outcome));
        if (!settled) this.#journal.tell('task.void', delivery, {});
        return undefined;
      } catch (error) {
        this.#journal.error(error);
        if (error instanceof ClosedError) return undefined;
        await sleep(this.#clock, pauses[tries] ?? (pauses.at(-1) as number));
      }
    }
  }
}
