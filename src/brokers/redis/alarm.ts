/** Rings once, at the earliest moment that it was set to. */
export class Alarm {
  readonly #ring: () => void;
  #set: { readonly at: number; readonly timer: NodeJS.Timeout } | undefined;

  constructor(ring: () => void) {
    this.#ring = ring;
  }

  /** It is to ring in so many ms, or never when that is below 0. */
  in(ms: number): void {
    if (ms < 0) return;
    const at = performance.now() + ms;
    if (this.#set && this.#set.at <= at) return;
    clearTimeout(this.#set?.timer);
    const timer = setTimeout(() => {
      this.#set = undefined;
      this.#ring();
    }, ms);
    this.#set = { at, timer: timer.unref() };
  }

  stop(): void {
    clearTimeout(this.#set?.timer);
  }
}
