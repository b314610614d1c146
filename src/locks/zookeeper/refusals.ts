/** Milliseconds for which a refusal makes the next try look before it writes. */
const lately = 1_000;

/** No more than this are remembered. */
const most = 1_000;

/**
 * Resources that refused a try not long ago. To try one is to write a node and to remove it again, which all servers have
 * to agree on; to look first costs little where the answer is likely to be no, and a flight more where it is yes.
 */
export class Refusals {
  readonly #at = new Map<string, number>();

  add(path: string): void {
    this.#at.delete(path);
    this.#at.set(path, performance.now());
    if (this.#at.size <= most) return;
    const [oldest] = this.#at.keys();
    this.#at.delete(oldest as string);
  }

  delete(path: string): void {
    this.#at.delete(path);
  }

  has(path: string): boolean {
    const at = this.#at.get(path);
    if (at === undefined) return false;
    if (performance.now() - at < lately) return true;
    this.#at.delete(path);
    return false;
  }
}
