/**
 * Goes round the values of a map, a few at a time, for as long as the map lives. What is added meanwhile is met on the
 * same round.
 *
 * One live iterator is kept for a round: a new one for each look would walk over all that was deleted at the front. None
 * is kept while the map is empty, for it would hold on to every table that the map has outgrown.
 */
export class Round<V> {
  readonly #map: ReadonlyMap<unknown, V>;
  #rest: Iterator<V> | undefined;

  constructor(map: ReadonlyMap<unknown, V>) {
    this.#map = map;
  }

  /** The next value, or `undefined` once at the end of each round. */
  next(): V | undefined {
    if (!this.#rest && this.#map.size === 0) return undefined;
    this.#rest ??= this.#map.values();
    const step = this.#rest.next();
    if (!step.done) return step.value;
    this.#rest = undefined;
    return undefined;
  }
}
