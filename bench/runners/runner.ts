type Begun = (index: number) => void;
export type Call = (index: number) => Promise<unknown>;

/** Something that runs tasks over a server, in a process of its own. Its tasks do nothing, and nothing is kept of them. */
export interface Runner {
  /** Enqueues so many. */
  fill(tasks: number): Promise<void>;
  /** Works off so many by one worker with these slots. Resolves when the last has ended. */
  drain(tasks: number, concurrency: number): Promise<void>;
  /** A worker of 50 slots, which stays until `close`, and tells of each body as it begins. What is resolved calls a task. */
  serve(begun: Begun): Promise<Call>;
  close(): Promise<void>;
}

/** Many at once, in thousands. */
export async function inThousands(tasks: number, enqueue: (indices: number[]) => Promise<unknown>) {
  for (let from = 0; from < tasks; from += 1_000) {
    await enqueue(Array.from({ length: Math.min(1_000, tasks - from) }, (_, i) => from + i));
  }
}

/** Times how long tasks take from the call to the body. */
export class Stopwatch {
  #sent: number[] = [];
  #latencies: number[] = [];
  #over = new Countdown(0);

  /** To be called by each body. */
  readonly begun: Begun = (index) => {
    this.#latencies.push(performance.now() - (this.#sent[index] ?? 0));
    this.#over.one();
  };

  /** Milliseconds of each, one call after the other, `pause` ms apart. */
  async time(call: Call, calls: number, pause: number): Promise<readonly number[]> {
    [this.#sent, this.#latencies, this.#over] = [[], [], new Countdown(calls)];
    for (let index = 0; index < calls; index++) {
      await new Promise((resolve) => setTimeout(resolve, pause));
      this.#sent.push(performance.now());
      await call(index);
    }
    await this.#over.over;
    return this.#latencies;
  }
}

/** What is called before it is timed, by those who stay: a compiler needs to have seen some. */
export const warmingCalls = { calls: 6_000, pause: 1 } as const;

/** Resolves when `one` was called so often. */
export class Countdown {
  #left: number;
  #over!: () => void;
  readonly over = new Promise<void>((resolve) => {
    this.#over = resolve;
  });

  constructor(count: number) {
    this.#left = count;
  }

  readonly one = (): void => {
    if (--this.#left === 0) this.#over();
  };
}
