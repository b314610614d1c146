/** Where a member stands, for its crowd alone. */
export interface Member {
  place: number;
}

/**
 * A set, in no order, for members that come and go with every task. A `Set` would keep the departed alive for long:
 * each table that it outgrows refers to the next one, so what died young is copied by the garbage collector again and
 * again, at several times the price of a task.
 */
export class Crowd<T extends Member> {
  readonly #members: T[] = [];

  get size(): number {
    return this.#members.length;
  }

  has(member: T): boolean {
    return this.#members[member.place] === member;
  }

  add(member: T): void {
    member.place = this.#members.push(member) - 1;
  }

  delete(member: T): void {
    if (!this.has(member)) return;
    const last = this.#members.pop() as T;
    if (last === member) return;
    this.#members[member.place] = last;
    last.place = member.place;
  }

  clear(): void {
    this.#members.length = 0;
  }

  /** Those who are there now, whoever comes or goes meanwhile. */
  [Symbol.iterator](): IterableIterator<T> {
    return [...this.#members].values();
  }
}
