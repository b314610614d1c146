/** No more than this are remembered. */
const most = 1_000;

/** What was learnt of nodes not long ago, by their paths. */
export class Recent<V> {
  readonly #of = new Map<string, V>();

  get(path: string): V | undefined {
    return this.#of.get(path);
  }

  set(path: string, value: V): void {
    this.#of.delete(path);
    this.#of.set(path, value);
    if (this.#of.size <= most) return;
    const [oldest] = this.#of.keys();
    this.#of.delete(oldest as string);
  }

  delete(path: string): void {
    this.#of.delete(path);
  }
}
