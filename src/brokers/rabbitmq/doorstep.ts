import type { Message } from '../../message.js';
import type { AmqpMessage } from '../../rabbitmq/client.js';

/** A message that is about to be parked: as it came from its queue, where it is still, and as it goes into the room. */
export interface AtDoor {
  readonly raw: AmqpMessage;
  readonly message: Message;
  readonly weight: number;
}

/**
 * Messages in hand whose room is still being made. Whoever takes meanwhile is given the one that came first: it is neither
 * published nor acknowledged, and goes on as if it had been parked and taken.
 *
 * If the process dies the server has it still, in the queue that it came from.
 */
export class Doorstep {
  readonly #waiting = new Map<string, Set<AtDoor>>();

  /** What is awaited; nothing when the message was given away by then. */
  async until<T>(room: Promise<T>, resource: string, one: AtDoor): Promise<T | undefined> {
    const all = this.#waiting.get(resource) ?? new Set();
    this.#waiting.set(resource, all.add(one));
    try {
      const there = await room;
      return all.has(one) ? there : undefined;
    } catch (error) {
      if (all.has(one)) throw error;
      return undefined;
    } finally {
      all.delete(one);
      if (all.size === 0 && this.#waiting.get(resource) === all) this.#waiting.delete(resource);
    }
  }

  /** The one that came first, which leaves if it has this weight. */
  take(resource: string, weight: number): AtDoor | undefined {
    const all = this.#waiting.get(resource);
    const [first] = all ?? [];
    if (first?.weight === weight) all?.delete(first);
    return first;
  }
}
