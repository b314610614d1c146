import type { Permit } from '../../src/locks/permit.js';

/** A permit, as whoever held it saw it. All instants are on `performance.now` of one process. */
interface Entry {
  readonly weight: number;
  readonly token: bigint | undefined;
  /** When it was asked for, and when the answer was there. */
  readonly asked: number;
  readonly from: number;
  /** When it was given back, or its holder was told that it is lost. */
  until: number;
}

/**
 * What all holders of one resource have seen, and whether that is as it should be: their weights never add up to more than
 * the capacity, and a permit that was asked for after another was granted has no smaller token (runs of one grant share theirs).
 *
 * A holder that knows that its permit is lost is none any more, whatever it goes on doing.
 */
export class Ledger {
  readonly #capacity: number;
  readonly #entries: Entry[] = [];

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get acquisitions(): number {
    return this.#entries.length;
  }

  /** To be called when the permit is there. What is returned is to be called before it is given back. */
  enter(permit: Permit, asked: number, token: bigint | undefined): () => void {
    const entry: Entry = {
      weight: permit.weight,
      token,
      asked,
      from: performance.now(),
      until: Number.POSITIVE_INFINITY,
    };
    this.#entries.push(entry);
    const end = () => {
      entry.until = Math.min(entry.until, performance.now());
    };
    if (permit.signal.aborted) end();
    permit.signal.addEventListener('abort', end, { once: true });
    return end;
  }

  /** In words. Empty when all is well. */
  violations(): string[] {
    return [...this.#crowds(), ...this.#oldTokens()];
  }

  #crowds(): string[] {
    const moments = this.#entries.flatMap(({ from, until, weight }) => [
      { at: from, weight },
      { at: until, weight: -weight },
    ]);
    // Whoever leaves at the moment at which another comes has left.
    moments.sort((a, b) => a.at - b.at || a.weight - b.weight);
    const found: string[] = [];
    let inside = 0;
    for (const { at, weight } of moments) {
      inside += weight;
      if (inside > this.#capacity && weight > 0) {
        found.push(`${inside} of ${this.#capacity} were held at ${Math.round(at)} ms`);
      }
    }
    return found;
  }

  #oldTokens(): string[] {
    const granted = [...this.#entries].sort((a, b) => a.from - b.from);
    const asked = [...this.#entries].sort((a, b) => a.asked - b.asked);
    const found: string[] = [];
    let [next, highest] = [0, -1n];
    for (const entry of asked) {
      for (let one = granted[next]; one && one.from < entry.asked; one = granted[++next]) {
        if (one.token !== undefined && one.token > highest) highest = one.token;
      }
      if (entry.token !== undefined && entry.token < highest) {
        found.push(`the token ${entry.token} was granted after ${highest}`);
      }
    }
    return found;
  }
}
