/** Which numbers the names of one side's keys have. */
export class NameSeries {
  /** Lower ones are not given out any more. */
  first = 0;
  #highest = -1;

  give(number: number): void {
    this.#highest = Math.max(this.#highest, number);
  }

  /** A key may yet be put under a name that was given out: none of them is used again. */
  retire(): void {
    this.first = this.#highest + 1;
  }
}

/**
 * Names for one side's keys in the line of one resource, each used again when its key is gone: until etcd compacts its
 * history it goes through all names that a line has had, with every step.
 *
 * What is carried out late, or told late, is never to meet a later use of the name. So no key is meant by its name alone.
 * It is put where there is none, and is ours only if it says so; whatever is done to it compares the revision at which it
 * was put or written, and so does whoever is told of it. When it is not known whether a key was put (the call was not
 * answered yet, or never will be), it may be yet: then its name is retired, with all that this side has given out.
 */
export class Names {
  #first = 0;
  #next = 0;
  readonly #free: number[] = [];
  readonly #used = new Map<string, number>();

  /** `stem`, for the first who comes, or `stem-3`. */
  take(stem: string, series: NameSeries): string {
    if (series.first !== this.#first) this.#begin(series.first);
    const number = this.#free.pop() ?? this.#next++;
    series.give(number);
    const name = number === 0 ? stem : `${stem}-${number}`;
    this.#used.set(name, number);
    return name;
  }

  #begin(first: number): void {
    this.#first = first;
    this.#next = first;
    this.#free.length = 0;
    this.#used.clear();
  }

  /** Its key is gone. */
  giveBack(name: string): void {
    const number = this.#used.get(name);
    if (number === undefined) return;
    this.#used.delete(name);
    this.#free.push(number);
  }
}
