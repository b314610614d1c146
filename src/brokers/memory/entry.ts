import type { Message } from '../../message.js';
import type { MemoryQueue } from './queue.js';

/** One message from its publishing to its end, wherever it is. */
export interface Entry {
  readonly queue: MemoryQueue;
  /** Its place in publish order: given once, kept through everything. */
  readonly order: number;
  /** Kept as text, so that whatever arrives is a copy. */
  text: string;
  /** Of the message in the text, where that is known. */
  id: string;
  priority: number;
  losses: number;
  /** Permits it needs, while it is parked. */
  weight: number;
  /** Takes it out of where it waits, while it is delayed or parked. */
  leave: (() => void) | undefined;
}

/** An entry in somebody's hands, with what it says. */
export interface Held {
  readonly entry: Entry;
  readonly message: Message;
}

export function comesFirst(a: Entry, b: Entry): boolean {
  return a.priority === b.priority ? a.order < b.order : a.priority > b.priority;
}
