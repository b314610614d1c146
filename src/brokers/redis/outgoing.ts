/** A message on its way: what the queue needs to know of it, and its text. */
export type Item = readonly [head: string, text: string];

interface Call {
  readonly items: readonly Item[];
  /** Of these, how many were sent, and how many have arrived. */
  sent: number;
  arrived: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Messages, and about as many bytes of them, that go in one step: others have their turn in between. */
const largest = { count: 1_000, size: 1_000_000 };
/** Batches under way at a time. */
const window = 4;

/**
 * Messages that are published at the same moment go together, but for the first where none is on its way: it goes at once.
 *
 * If a batch fails, its calls are told, and no more is sent of them: a part of them may have arrived. So it is when the
 * process dies in between, and nobody was told that they have.
 */
export class Outgoing {
  readonly #publish: (args: readonly string[]) => Promise<unknown>;
  readonly #calls: Call[] = [];
  #underWay = 0;
  #isScheduled = false;

  constructor(publish: (args: readonly string[]) => Promise<unknown>) {
    this.#publish = publish;
  }

  send(items: readonly Item[]): Promise<void> {
    const [first] = items;
    if (!first) return Promise.resolve();
    if (items.length === 1 && this.#underWay === 0) return this.#sendAlone(first);
    return new Promise((resolve, reject) => {
      this.#calls.push({ items, sent: 0, arrived: 0, resolve, reject });
      if (this.#underWay === 0) this.#pump();
      else this.#pumpSoon();
    });
  }

  /** While nothing is under way, nothing waits. */
  async #sendAlone(item: Item): Promise<void> {
    this.#underWay++;
    try {
      await this.#publish(item);
    } finally {
      this.#underWay--;
      this.#pump();
    }
  }

  #pumpSoon(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    queueMicrotask(() => {
      this.#isScheduled = false;
      this.#pump();
    });
  }

  #pump(): void {
    while (this.#underWay < window && this.#calls.length > 0) void this.#sendBatch();
  }

  async #sendBatch(): Promise<void> {
    const { args, parts } = this.#nextBatch();
    this.#underWay++;
    try {
      await this.#publish(args);
      for (const [call, count] of parts) {
        call.arrived += count;
        if (call.arrived === call.items.length) call.resolve();
      }
    } catch (error) {
      for (const [call] of parts) this.#fail(call, error);
    }
    this.#underWay--;
    this.#pump();
  }

  /** Messages of the calls that wait, in their order. Calls that are sent whole wait no more. */
  #nextBatch(): { args: string[]; parts: Map<Call, number> } {
    const args: string[] = [];
    const parts = new Map<Call, number>();
    let size = 0;
    for (let call = this.#calls[0]; call; call = this.#calls[0]) {
      const before = call.sent;
      for (let item = call.items[call.sent]; item; item = call.items[call.sent]) {
        if (args.length >= 2 * largest.count || size >= largest.size) break;
        args.push(...item);
        size += item[1].length;
        call.sent++;
      }
      parts.set(call, call.sent - before);
      if (call.sent < call.items.length) break;
      this.#calls.shift();
    }
    return { args, parts };
  }

  #fail(call: Call, error: unknown): void {
    call.reject(error);
    const at = this.#calls.indexOf(call);
    if (at >= 0) this.#calls.splice(at, 1);
  }
}
