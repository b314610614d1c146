import { setTimeout as sleep } from 'node:timers/promises';
import type { Locks } from 'lockkeeper';
import { until } from '../support/until.js';
import { Ledger } from './ledger.js';

export interface Contested {
  readonly name: string;
  readonly capacity: number;
  /** Claims weigh from 1 to this. Default 1. */
  readonly mostWeight?: number;
}

/** How long a permit is held, in milliseconds, at most. */
const longest = 20;

/**
 * Several sides that never stop wanting the same resources. Whatever a side is told (that it waited in vain, that the
 * coordinator does not answer), it asks again.
 */
export class Load {
  readonly #sides: readonly Locks[];
  readonly #rest: number;
  readonly #fencing: boolean;
  readonly #ledgers = new Map<Contested, Ledger>();
  readonly #loops: Promise<void>[] = [];
  readonly #times: number[];
  /** Errors by their name. */
  readonly errors = new Map<string, number>();
  #over = false;

  /**
   * `fencing`: whether permits have tokens. `rest`: milliseconds between turns, at most; where nobody stands in line, whoever
   * asks again at once keeps all others out.
   */
  constructor(sides: readonly Locks[], resources: readonly Contested[], { rest = 0, fencing = true } = {}) {
    this.#sides = sides;
    this.#rest = rest;
    this.#fencing = fencing;
    this.#times = sides.map(() => 0);
    for (const resource of resources) this.#ledgers.set(resource, new Ledger(resource.capacity));
    sides.forEach((locks, side) => {
      for (const resource of resources) this.#loops.push(this.#loop(locks, side, resource));
    });
  }

  get acquisitions(): number {
    return [...this.#ledgers.values()].reduce((sum, ledger) => sum + ledger.acquisitions, 0);
  }

  get violations(): string[] {
    return [...this.#ledgers].flatMap(([{ name }, ledger]) =>
      ledger.violations().map((violation) => `${name}: ${violation}`),
    );
  }

  /** Resolves when every one of these sides, or all, has had so many permits more. */
  async goesOn(sides = this.#sides.map((_, side) => side), times = 5, timeoutMs = 30_000): Promise<void> {
    const before = [...this.#times];
    await until(() => sides.every((side) => this.#times[side]! >= before[side]! + times), timeoutMs);
  }

  /** Resolves when nobody holds or wants anything any more. */
  async end(): Promise<void> {
    this.#over = true;
    await Promise.all(this.#loops);
  }

  async #loop(locks: Locks, side: number, resource: Contested): Promise<void> {
    while (!this.#over) {
      try {
        await this.#turn(locks, resource, this.#ledgers.get(resource)!);
        this.#times[side]!++;
        if (this.#rest > 0) await sleep(Math.random() * this.#rest);
      } catch (error) {
        const { name } = error as Error;
        this.errors.set(name, (this.errors.get(name) ?? 0) + 1);
        await sleep(20);
      }
    }
  }

  async #turn(locks: Locks, { name, mostWeight = 1 }: Contested, ledger: Ledger): Promise<void> {
    const weight = 1 + Math.floor(Math.random() * mostWeight);
    const asked = performance.now();
    const permit = await locks.acquire(name, { weight, waitTimeout: 10_000 });
    const leave = ledger.enter(permit, asked, this.#fencing ? permit.token : undefined);
    try {
      await sleep(Math.random() * longest, undefined, { signal: permit.signal });
      permit.assertHeld();
    } finally {
      leave();
      await permit.release();
    }
  }
}
