import type { Claim } from '../coordinator.js';

/** A claim that waits for its turn. */
export interface Place {
  readonly claim: Claim;
  readonly owner: string;
  weight: number;
  /** What its owner takes the capacity to be. */
  capacity: number;
  readonly since: number;
  until: number;
  before: Place | undefined;
  behind: Place | undefined;
}

/**
 * First come, first served. The order is a linked list, because a map from which the front is taken again and again
 * walks over ever more deleted entries to find its first.
 */
export class Line {
  readonly #places = new Map<string, Place>();
  #first: Place | undefined;
  #last: Place | undefined;

  get first(): Place | undefined {
    return this.#first;
  }

  get last(): Place | undefined {
    return this.#last;
  }

  get size(): number {
    return this.#places.size;
  }

  get(id: string): Place | undefined {
    return this.#places.get(id);
  }

  /** A place at the end. What it asks for is filled in by whoever stands there. */
  join(claim: Claim, owner: string, since: number): Place {
    const before = this.#last;
    const place: Place = {
      claim,
      owner,
      weight: 0,
      capacity: 0,
      since,
      until: since,
      before,
      behind: undefined,
    };
    if (before) before.behind = place;
    else this.#first = place;
    this.#last = place;
    this.#places.set(claim.id, place);
    return place;
  }

  leave(place: Place): void {
    if (place.before) place.before.behind = place.behind;
    else this.#first = place.behind;
    if (place.behind) place.behind.before = place.before;
    else this.#last = place.before;
    this.#places.delete(place.claim.id);
  }

  /** Places ahead of this one. */
  ahead(place: Place): number {
    if (place === this.#last) return this.#places.size - 1;
    let count = 0;
    for (let other = place.before; other; other = other.before) count++;
    return count;
  }

  /** First come first. A place may leave while it is visited. */
  *[Symbol.iterator](): Generator<Place> {
    for (let place = this.#first; place; ) {
      const behind: Place | undefined = place.behind;
      yield place;
      place = behind;
    }
  }
}
