/** One step at a time for each key: a step that takes several begins when the last step of each of them is over. */
export class Turns {
  readonly #last = new Map<string, Promise<unknown>>();

  take<T>(keys: readonly string[], step: () => Promise<T>): Promise<T> {
    const before = keys.map((key) => this.#last.get(key)).filter((last) => last !== undefined);
    const turn = before.length === 0 ? step() : Promise.allSettled(before).then(step);
    const over = () => {
      for (const key of keys) if (this.#last.get(key) === settled) this.#last.delete(key);
    };
    const settled = turn.then(over, over);
    for (const key of keys) this.#last.set(key, settled);
    return turn;
  }
}
