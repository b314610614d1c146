import type { Message } from '../../message.js';
import type { AmqpMessage } from '../../rabbitmq/client.js';

/** A message that is about to be parked: as it came from its queue, where it is still, and as it goes into the room. */
export interface AtDoor {
  readonly raw: AmqpMessage;
  readonly message: Message;
  readonly weight: number;
  /** As many as this, when their room is made, are likely to be taken by this worker soon. */
  readonly likely: () => number;
  /** When it came, on the clock of `performance.now()`. */
  readonly since: number;
}

interface Stay {
  readonly timer: NodeJS.Timeout;
  readonly leave: () => void;
}

/** How long the first stay when their room is there, in milliseconds. */
const patience = 100;

/**
 * Messages in hand whose room is still being made, and for a moment more the first of them. Whoever takes meanwhile is given
 * the one that came first: it is neither published nor acknowledged, and goes on as if it had been parked and taken.
 *
 * When a resource becomes busy, hand-offs follow, of those permits that this worker holds: it would park what it needs at
 * once, and ask for it back while the server is busy with all the others that are parked.
 *
 * If the process dies the server has it still, in the queue that it came from.
 */
export class Doorstep {
  readonly #waiting = new Map<string, Set<AtDoor>>();
  readonly #staying = new Map<AtDoor, Stay>();
  #closed = false;

  /** What is awaited, and whether it was made to stay; nothing when the message was given away by then. */
  async until<T>(
    room: Promise<T>,
    resource: string,
    one: AtDoor,
  ): Promise<{ there: T; stayed: boolean } | undefined> {
    const all = this.#waiting.get(resource) ?? new Set();
    this.#waiting.set(resource, all.add(one));
    try {
      const there = await room;
      const stayed = all.has(one) && this.#mayStay(one, all);
      if (stayed) await this.#stay(one);
      return all.has(one) ? { there, stayed } : undefined;
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
    if (all && first?.weight === weight) {
      all.delete(first);
      this.#staying.get(first)?.leave();
    }
    return first;
  }

  /** Whether somebody is there for it. */
  has(resource: string): boolean {
    return (this.#waiting.get(resource)?.size ?? 0) > 0;
  }

  /** Nobody stays any more. */
  close(): void {
    this.#closed = true;
    for (const { leave } of this.#staying.values()) leave();
  }

  /** As a process that dies: nothing becomes of those that stay. */
  die(): void {
    this.#closed = true;
    for (const { timer } of this.#staying.values()) clearTimeout(timer);
  }

  /** All have the same weight, so that whoever takes can use each of them. */
  #mayStay(one: AtDoor, all: ReadonlySet<AtDoor>): boolean {
    const waiting = [...all];
    const { weight } = one;
    return (
      !this.#closed &&
      waiting.indexOf(one) < one.likely() &&
      waiting.every((other) => other.weight === weight)
    );
  }

  async #stay(one: AtDoor): Promise<void> {
    await new Promise<void>((leave) => {
      const timer = setTimeout(leave, patience);
      this.#staying.set(one, { timer, leave });
    });
    clearTimeout(this.#staying.get(one)?.timer);
    this.#staying.delete(one);
  }
}
