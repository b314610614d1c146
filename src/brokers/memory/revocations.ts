import type { Clock } from '../../clock.js';
import type { Entry } from './entry.js';

/** A message that was revoked may still be on its way, or come back from a worker that died. */
const remembered = 86_400_000;

/** Which ids are revoked, and which entries wait under an id. */
export class Revocations {
  readonly #clock: Clock;
  /** Until when each is remembered, oldest first. */
  readonly #marks = new Map<string, number>();
  readonly #waiting = new Map<string, Set<Entry>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  mark(id: string): void {
    this.#forget();
    this.#marks.delete(id);
    this.#marks.set(id, this.#clock.now() + remembered);
  }

  has(id: string): boolean {
    const until = this.#marks.get(id);
    return until !== undefined && until > this.#clock.now();
  }

  /** The entries that wait under this id: an id may have been published more than once. */
  waiting(id: string): Entry[] {
    return [...(this.#waiting.get(id) ?? [])];
  }

  add(entry: Entry): void {
    const same = this.#waiting.get(entry.id);
    if (same) same.add(entry);
    else this.#waiting.set(entry.id, new Set([entry]));
  }

  remove(entry: Entry): void {
    const same = this.#waiting.get(entry.id);
    if (same?.delete(entry) && same.size === 0) this.#waiting.delete(entry.id);
  }

  #forget(): void {
    const now = this.#clock.now();
    for (const [id, until] of this.#marks) {
      if (until > now) return;
      this.#marks.delete(id);
    }
  }
}
