import type { Claim } from '../coordinator.js';

export interface Holder {
  claim: Claim;
  readonly owner: string;
  readonly weight: number;
  readonly token: bigint;
  readonly since: number;
  until: number;
  /** Among those of its resource, for these alone. */
  place: number;
}

/** From so many on they are looked up by id. */
const many = 32;

/**
 * Who holds a resource, in no order. Mostly they are few, and come and go with every task: for those a list is faster
 * than a map, and does not keep the departed alive as the tables of a map do that it has outgrown.
 */
export class Holders {
  readonly #members: Holder[] = [];
  #byId: Map<string, Holder> | undefined;

  get size(): number {
    return this.#members.length;
  }

  get(id: string): Holder | undefined {
    if (this.#byId) return this.#byId.get(id);
    for (const holder of this.#members) if (holder.claim.id === id) return holder;
    return undefined;
  }

  add(holder: Holder): void {
    holder.place = this.#members.push(holder) - 1;
    if (this.#byId) this.#byId.set(holder.claim.id, holder);
    else if (this.#members.length > many)
      this.#byId = new Map(this.#members.map((one) => [one.claim.id, one]));
  }

  delete(holder: Holder): void {
    const last = this.#members.pop() as Holder;
    if (last !== holder) {
      this.#members[holder.place] = last;
      last.place = holder.place;
    }
    if (this.#members.length === 0) this.#byId = undefined;
    this.#byId?.delete(holder.claim.id);
  }

  /** Those who hold it now, whoever comes or goes meanwhile. */
  [Symbol.iterator](): IterableIterator<Holder> {
    return [...this.#members].values();
  }
}
