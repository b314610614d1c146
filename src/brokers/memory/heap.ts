/** Where a value stands in a heap, so that it can be taken out of the middle. */
export interface Place<T> {
  readonly value: T;
  at: number;
}

/** A binary heap: whatever comes `before` all others is first. Adding and removing cost the logarithm of its size. */
export class Heap<T> {
  readonly #before: (a: T, b: T) => boolean;
  readonly #places: Place<T>[] = [];

  constructor(before: (a: T, b: T) => boolean) {
    this.#before = before;
  }

  get size(): number {
    return this.#places.length;
  }

  get first(): T | undefined {
    return this.#places[0]?.value;
  }

  /** In no order. */
  values(): T[] {
    return this.#places.map((place) => place.value);
  }

  push(value: T): Place<T> {
    const place = { value, at: this.#places.length };
    this.#places.push(place);
    this.#rise(place);
    return place;
  }

  shift(): T | undefined {
    const place = this.#places[0];
    if (place) this.remove(place);
    return place?.value;
  }

  /** Does nothing for a place that was left already. */
  remove(place: Place<T>): void {
    if (this.#places[place.at] !== place) return;
    const last = this.#places.pop();
    if (!last || last === place) return;
    this.#put(last, place.at);
    this.#rise(last);
    this.#sink(last);
  }

  clear(): void {
    this.#places.length = 0;
  }

  #rise(place: Place<T>): void {
    for (let at = place.at; at > 0; at = place.at) {
      const parent = this.#places[(at - 1) >> 1];
      if (!parent || !this.#before(place.value, parent.value)) return;
      this.#put(place, parent.at);
      this.#put(parent, at);
    }
  }

  #sink(place: Place<T>): void {
    for (
      let child = this.#child(place);
      child && this.#before(child.value, place.value);
      child = this.#child(place)
    ) {
      const { at } = place;
      this.#put(place, child.at);
      this.#put(child, at);
    }
  }

  /** Of its two children, the one that comes first. */
  #child(place: Place<T>): Place<T> | undefined {
    const left = this.#places[2 * place.at + 1];
    const right = this.#places[2 * place.at + 2];
    return left && right && this.#before(right.value, left.value) ? right : left;
  }

  #put(place: Place<T>, at: number): void {
    this.#places[at] = place;
    place.at = at;
  }
}
