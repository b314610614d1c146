import type { Clock } from '../clock.js';

/** Something to wait at: until it rings, time is up, or the signal aborts. A ring that nobody waited for is kept. */
export class Bell {
  readonly #clock: Clock;
  #rung = false;
  #wake: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  readonly ring = (): void => {
    this.#rung = true;
    this.#wake?.();
  };

  /** Resolves in any case; whoever waits looks what is the matter. */
  async wait(ms: number, options?: { signal?: AbortSignal; keepAlive?: boolean }): Promise<void> {
    const signal = options?.signal;
    if (!this.#rung && !signal?.aborted) {
      await new Promise<void>((resolve) => {
        const cancel = ms === Number.POSITIVE_INFINITY ? () => {} : this.#clock.after(ms, resolve, options);
        signal?.addEventListener('abort', this.#stop, { once: true });
        this.#wake = () => {
          cancel();
          resolve();
        };
      });
      this.#wake = undefined;
      signal?.removeEventListener('abort', this.#stop);
    }
    this.#rung = false;
  }

  readonly #stop = (): void => this.#wake?.();
}
