import type { OwnClaim } from './claim.js';
import { nameOf } from './nodes.js';
import { Recent } from './recent.js';
import type { Guard, Watches } from './watches.js';

/** Of a claim whose node was the only child there was. */
export interface Run {
  /** How many such there were in a row, all of this side, with nobody between. */
  readonly length: number;
  /** The number of its node. */
  readonly sequence: number;
  /** Of the parent, from before that was known. */
  readonly guard: Guard | undefined;
}

/** A wrong guess costs a flight more, and a right one saves only a part of one. */
const enough = 8;

/**
 * Locks that this side takes again and again, with nobody between: there it need not read who stands in line.
 *
 * The number of a node is how many children its parent has had before. So when a node was the only child, and the one
 * that is made next has the next number, no other was made between; and once the earlier one is removed, the later one is
 * the only child in its turn. But a parent that was removed, and made anew, counts from 0 again: so it is watched, and a
 * server tells of that before it answers what was asked later. The client names its watches to each server it goes on to.
 */
export class Runs {
  readonly #watches: Watches;
  /** How they were left, by the paths of the parents. */
  readonly #last = new Recent<Run>();

  constructor(watches: Watches) {
    this.#watches = watches;
  }

  /** The claim is about to make its node. A run goes on with one alone: whoever comes beside it is not the next. */
  start(claim: OwnClaim): Start {
    const { base } = claim.paths;
    const last = this.#last.get(base);
    if (last) this.#last.delete(base);
    return new Start(this.#watches, claim, last);
  }

  /** All of the claim is gone. */
  leave({ run, paths: { base } }: OwnClaim): void {
    if (run) this.#last.set(base, run);
  }
}

class Start {
  /** The claim will be the next of a run, and its number will tell. */
  readonly isLikely: boolean;
  readonly #watches: Watches;
  readonly #claim: OwnClaim;
  readonly #last: Run | undefined;
  #guard: Guard | undefined;

  constructor(watches: Watches, claim: OwnClaim, last: Run | undefined) {
    this.#watches = watches;
    this.#claim = claim;
    this.#last = last;
    this.#guard = this.#guardNow;
    this.isLikely = this.#isLong && this.#guard !== undefined && this.#guard === last?.guard;
    claim.run = undefined;
  }

  get #isLong(): boolean {
    return this.#last !== undefined && this.#last.length >= enough;
  }

  get #guardNow(): Guard | undefined {
    return this.#watches.guardOf(this.#claim.session, this.#claim.paths.base);
  }

  /** To be called before the children are asked for. */
  watch(): void {
    if (!this.#isLong) return;
    this.#watches.guard(this.#claim.session, this.#claim.paths.base);
    this.#guard = this.#guardNow;
  }

  /** Whether it was the next, as was likely: its node is the only child. */
  goesOn(): boolean {
    return this.isLikely && this.#length > 1 && this.#guard === this.#guardNow;
  }

  /** The children when its node was there. */
  see(children: readonly string[]): void {
    const [node] = this.#claim.nodes as readonly [string];
    if (children.length !== 1 || children[0] !== nameOf(node)) return;
    this.#claim.run = { length: this.#length, sequence: this.#sequence, guard: this.#guard };
  }

  get #length(): number {
    return this.#last && this.#sequence === ((this.#last.sequence + 1) | 0) ? this.#last.length + 1 : 1;
  }

  get #sequence(): number {
    return Number(this.#claim.nodes[0]?.slice(-10)) | 0;
  }
}
