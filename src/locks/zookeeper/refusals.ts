import { Recent } from './recent.js';

/** Milliseconds for which a refusal makes the next try look before it writes. */
const lately = 1_000;

/**
 * Resources that refused a try not long ago. To try one is to write a node and to remove it again, which all servers have
 * to agree on; to look first costs little where the answer is likely to be no, and a flight more where it is yes.
 */
export class Refusals {
  readonly #at = new Recent<number>();

  add(path: string): void {
    this.#at.set(path, performance.now());
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
