import { decode, type Message } from '../../message.js';
import type { Aside } from '../broker.js';

type Kept = Pick<Aside, 'reason' | 'at' | 'text'>;

/** The messages of a queue that were set aside, oldest first. */
export class Apart {
  readonly #kept = new Map<string, Kept>();
  #count = 0;

  get size(): number {
    return this.#kept.size;
  }

  add(kept: Kept): void {
    this.#kept.set(String(++this.#count), kept);
  }

  list(): Aside[] {
    return [...this.#kept].map(([id, kept]) => ({ id, ...kept, message: messageIn(kept.text) }));
  }

  take(id: string): Kept | undefined {
    const kept = this.#kept.get(id);
    this.#kept.delete(id);
    return kept;
  }
}

/** The message in a text, if there is one. */
export function messageIn(text: string): Message | undefined {
  try {
    return decode(text);
  } catch {
    return undefined;
  }
}
