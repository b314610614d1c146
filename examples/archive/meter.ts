/** What tasks see of a resource. Its limit is held against this: it is checked, not believed. */
export class Meter {
  /** The most that ever held it at once. */
  most = 0;
  #holders = 0;
  /** When each of them began, in milliseconds. */
  readonly #starts: number[] = [];
  #held = 0;
  #last = 0;

  begin(now: number): void {
    this.#starts.push(now);
    this.most = Math.max(this.most, ++this.#holders);
  }

  end(start: number, now: number): void {
    this.#holders--;
    this.#held += now - start;
    this.#last = now;
  }

  /** The part of `capacity` that was in use from the first start to the last end. */
  used(capacity: number): number {
    const span = this.#last - (this.#starts[0] ?? 0);
    return span > 0 ? this.#held / (capacity * span) : 0;
  }

  /** The most that began within any `ms` milliseconds. */
  mostWithin(ms: number): number {
    let [most, oldest] = [0, 0];
    for (const [newest, start] of this.#starts.entries()) {
      while (start - (this.#starts[oldest] as number) >= ms) oldest++;
      most = Math.max(most, newest - oldest + 1);
    }
    return most;
  }
}

/** A meter for each resource. */
export class Meters {
  readonly #meters = new Map<string, Meter>();

  /** Runs the body of a task that holds these resources; null is none. */
  async hold<R>(resources: readonly (string | null)[], body: () => Promise<R>): Promise<R> {
    const meters = resources.filter((resource) => resource !== null).map((resource) => this.of(resource));
    const start = performance.now();
    for (const meter of meters) meter.begin(start);
    try {
      return await body();
    } finally {
      const now = performance.now();
      for (const meter of meters) meter.end(start, now);
    }
  }

  of(resource: string): Meter {
    const meter = this.#meters.get(resource) ?? new Meter();
    this.#meters.set(resource, meter);
    return meter;
  }

  get resources(): string[] {
    return [...this.#meters.keys()];
  }
}
