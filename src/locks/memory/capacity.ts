interface Override {
  readonly capacity: number;
  readonly until: number;
}

/** How long a declared capacity is told to those who declare another. */
const lately = 60_000;

/** What a resource's capacity is taken to be, by those who ask and by an operator. */
export class Capacity {
  override: Override | undefined;
  declared: number | undefined;
  #declaredAt = 0;
  #before: number | undefined;
  #beforeAt = 0;

  /** Each request is judged by what it declares, unless an operator knows better. */
  inForce(declared: number): number {
    return this.override ? this.override.capacity : declared;
  }

  /** Remembers what was declared. Returns what else was, lately. */
  declare(capacity: number, now: number): number | undefined {
    if (this.declared !== capacity) {
      this.#before = this.declared;
      this.#beforeAt = this.#declaredAt;
      this.declared = capacity;
    }
    this.#declaredAt = now;
    return now - this.#beforeAt < lately ? this.#before : undefined;
  }
}
