/** Something that runs tasks over a server, in a process of its own. Its tasks do nothing, and nothing is kept of them. */
export interface Runner {
  /** Enqueues so many. */
  fill(tasks: number): Promise<void>;
  /** Works off so many by one worker with these slots. Resolves when the last has ended. */
  drain(tasks: number, concurrency: number): Promise<void>;
  /** Milliseconds from the call of a task to its body, for each: one call after the other, `pause` ms apart. */
  latencies(calls: number, pause: number): Promise<number[]>;
  close(): Promise<void>;
}

/** Many at once, in thousands. */
export async function inThousands(tasks: number, enqueue: (indices: number[]) => Promise<unknown>) {
  for (let from = 0; from < tasks; from += 1_000) {
    await enqueue(Array.from({ length: Math.min(1_000, tasks - from) }, (_, i) => from + i));
  }
}

/** Calls `call` so often, and tells how long each took until `began` was called with its index. */
export async function timeCalls(
  calls: number,
  pause: number,
  call: (index: number) => Promise<unknown>,
  onBegun: (begun: (index: number) => void) => void,
): Promise<number[]> {
  const sent: number[] = [];
  const latencies: number[] = [];
  let all!: () => void;
  const over = new Promise<void>((resolve) => {
    all = resolve;
  });
  onBegun((index) => {
    latencies.push(performance.now() - (sent[index] ?? 0));
    if (latencies.length === calls) all();
  });
  for (let index = 0; index < calls; index++) {
    await new Promise((resolve) => setTimeout(resolve, pause));
    sent.push(performance.now());
    await call(index);
  }
  await over;
  return latencies;
}

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
