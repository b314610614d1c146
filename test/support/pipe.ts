import type { Socket } from 'node:net';

interface Held {
  /** Undefined stands for the end. */
  readonly chunk: Buffer | undefined;
  /** When to hand it on, on `performance.now`. */
  readonly due: number;
}

export interface PipeOptions {
  /** Told of all that comes; what it returns false for goes no further. */
  readonly passes: (chunk: Buffer) => boolean;
  /** By how much what comes now is held up, in ms. */
  readonly delayMs: () => number;
  /** Into how many bytes at most what comes is cut, each piece a millisecond after the other. */
  readonly pieceBytes: () => number;
}

/** Carries what one socket receives to another, in order, and can hold it up on the way. */
export class Pipe {
  readonly #source: Socket;
  readonly #sink: Socket;
  readonly #held: Held[] = [];
  #timer: NodeJS.Timeout | undefined;
  #lastDue = 0;
  #paused = false;
  #full = false;

  constructor(source: Socket, sink: Socket, { passes, delayMs, pieceBytes }: PipeOptions) {
    this.#source = source;
    this.#sink = sink;
    const hold = (chunk?: Buffer): void => {
      const soonest = Number.isFinite(pieceBytes()) ? this.#lastDue + 1 : 0;
      this.#lastDue = Math.max(performance.now() + delayMs(), soonest);
      this.#held.push({ chunk, due: this.#lastDue });
      this.#flush();
    };
    source.on('data', (chunk) => {
      if (!passes(chunk)) return;
      const bytes = Math.min(pieceBytes(), chunk.length);
      for (let from = 0; from < chunk.length; from += bytes) hold(chunk.subarray(from, from + bytes));
    });
    source.once('end', () => hold());
    source.once('close', () => clearTimeout(this.#timer));
    sink.on('drain', () => {
      this.#full = false;
      this.#flow();
    });
  }

  /** Stops reading, so that the end of the connection is not seen either. */
  pause(): void {
    this.#paused = true;
    this.#flow();
  }

  resume(): void {
    this.#paused = false;
    this.#flow();
  }

  #flow(): void {
    this.#flush();
    if (this.#paused || this.#full) this.#source.pause();
    else this.#source.resume();
  }

  #flush(): void {
    clearTimeout(this.#timer);
    for (let next = this.#held[0]; next && !this.#paused; next = this.#held[0]) {
      const wait = next.due - performance.now();
      if (wait > 0) {
        this.#timer = setTimeout(() => this.#flush(), wait);
        return;
      }
      this.#held.shift();
      this.#handOn(next.chunk);
    }
  }

  #handOn(chunk: Buffer | undefined): void {
    if (!this.#sink.writable) return;
    if (chunk === undefined) {
      this.#sink.end();
    } else if (!this.#sink.write(chunk)) {
      this.#full = true;
      this.#source.pause();
    }
  }
}
