import type { Cancel } from '../../src/clock.js';

interface Event {
  readonly at: number;
  readonly order: number;
  readonly happen: () => void;
  cancelled: boolean;
}

/** Time that goes from one event to the next, as soon as all that the one has set off has come to rest. */
export class Timeline {
  now = 0;
  #order = 0;
  readonly #events: Event[] = [];

  after(ms: number, happen: () => void): Cancel {
    const event = { at: this.now + Math.max(0, ms), order: this.#order++, happen, cancelled: false };
    this.#push(event);
    return () => {
      event.cancelled = true;
    };
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.after(ms, resolve));
  }

  /** Lets time pass until the promise is settled. Throws when nothing is left that could settle it. */
  async play<T>(until: Promise<T>): Promise<T> {
    let over = false;
    const end = () => {
      over = true;
    };
    until.then(end, end);
    await comeToRest();
    while (!over) {
      const event = this.#pop();
      if (!event) throw new Error(`At ${this.now} ms there is nothing left to wait for`);
      if (event.cancelled) continue;
      this.now = event.at;
      event.happen();
      await comeToRest();
    }
    return await until;
  }

  #push(event: Event): void {
    const heap = this.#events;
    let at = heap.push(event) - 1;
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (!isBefore(event, heap[above]!)) break;
      heap[at] = heap[above]!;
      at = above;
    }
    heap[at] = event;
  }

  #pop(): Event | undefined {
    const heap = this.#events;
    const first = heap[0];
    const last = heap.pop();
    if (!first || !last || heap.length === 0) return first;
    let at = 0;
    for (;;) {
      const left = 2 * at + 1;
      if (left >= heap.length) break;
      const right = left + 1;
      const below = right < heap.length && isBefore(heap[right]!, heap[left]!) ? right : left;
      if (!isBefore(heap[below]!, last)) break;
      heap[at] = heap[below]!;
      at = below;
    }
    heap[at] = last;
    return first;
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

const comeToRest = () => new Promise((resolve) => setImmediate(resolve));
