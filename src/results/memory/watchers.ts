import { Events, type Unsubscribe } from '../../events.js';

interface Put {
  readonly number: number;
  readonly text: string;
}

/**
 * Tells watchers of states: later than the call that put them, and in the order in which they were put. A watcher is
 * told of what was put after it began to watch, and of nothing once it has stopped.
 */
export class Watchers {
  readonly #events = new Events<Record<string, Put>>();
  #puts = 0;

  watch(id: string, listener: (text: string) => unknown): Unsubscribe {
    const begin = this.#puts;
    let watching = true;
    const off = this.#events.on(id, (put) =>
      watching && put.number > begin ? listener(put.text) : undefined,
    );
    return () => {
      watching = false;
      off();
    };
  }

  tell(id: string, text: string): void {
    const put = { number: ++this.#puts, text };
    if (this.#events.has(id)) queueMicrotask(() => this.#events.emit(id, put));
  }
}
