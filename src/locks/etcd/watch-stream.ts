import type { Cancel, Clock } from '../../clock.js';
import type { Calls } from './calls.js';
import type { EtcdStream, KeyRange, WatchAnswer, WatchEvent, WatchRequest } from './client.js';

/** Something that is watched. */
export interface Watched {
  readonly range: KeyRange;
  /** The first revision of interest. */
  from: number;
  onEvents(events: readonly WatchEvent[]): void;
  /** Nothing was told for a while. What was missed is told from now on, of each thing watched by itself. */
  onResumed(): void;
  /** etcd has heard that it goes on. */
  onAnswered(): void;
  /** What happened may not be told any more: look for yourself. Nothing follows. */
  onLost(): void;
}

/** Milliseconds. */
const backoff = { first: 50, most: 1_000 };
const silenceAfter = 2_000;

type Stream = EtcdStream<WatchRequest, WatchAnswer>;

/**
 * All that this process watches, on one stream, which is there only while something is watched.
 *
 * A stream that breaks is opened anew, and each watch goes on after the last event that it told of, so that nothing is
 * missed; unless etcd has forgotten that much (compaction), and then whoever watches is told to look. A stream cannot be
 * known to be alive, so it is opened anew also when a call was not answered, and whoever waits looks from time to time in
 * any case.
 */
export class WatchStream {
  readonly #calls: Calls;
  readonly #clock: Clock;
  readonly #watched = new Map<string, Watched>();
  /** Those that some stream was asked for. */
  readonly #begun = new Set<string>();
  /** Those that a later stream was asked for, and has not answered. */
  readonly #resumed = new Set<string>();
  #ids = 0;
  #stream: Stream | undefined;
  #opening = false;
  #again: Cancel | undefined;
  #pause = backoff.first;
  #openedAt = Number.NEGATIVE_INFINITY;
  #closed = false;

  constructor(calls: Calls, clock: Clock) {
    this.#calls = calls;
    this.#clock = clock;
  }

  /** Returns what ends it. */
  watch(watched: Watched): () => void {
    const id = String(++this.#ids);
    this.#watched.set(id, watched);
    if (this.#stream) this.#create(this.#stream, id, watched);
    else this.#open();
    return () => this.#forget(id);
  }

  #forget(id: string): void {
    this.#begun.delete(id);
    this.#resumed.delete(id);
    if (!this.#watched.delete(id)) return;
    if (this.#watched.size === 0) this.#end();
    else this.#stream?.write({ cancel_request: { watch_id: id } });
  }

  /** Somebody was not answered: the stream may be as deaf. */
  readonly suspect = (): void => {
    if (!this.#stream || this.#clock.now() - this.#openedAt < silenceAfter) return;
    this.#end();
    this.#open();
  };

  #open(): void {
    if (this.#opening || this.#again || this.#closed) return;
    this.#opening = true;
    this.#calls.watch().then(
      (stream) => {
        this.#opening = false;
        this.#opened(stream);
      },
      () => {
        this.#opening = false;
        this.#openLater();
      },
    );
  }

  #opened(stream: Stream): void {
    stream.on('error', () => this.#broken(stream));
    if (this.#closed || this.#watched.size === 0) {
      cancel(stream);
      return;
    }
    stream.on('end', () => this.#broken(stream));
    stream.on('data', (answer) => this.#heard(stream, answer));
    this.#stream = stream;
    this.#openedAt = this.#clock.now();
    for (const [id, watched] of this.#watched) this.#create(stream, id, watched);
  }

  #create(stream: Stream, id: string, { range, from, onResumed }: Watched): void {
    stream.write({ create_request: { ...range, start_revision: String(from), watch_id: id } });
    if (this.#begun.has(id) && !this.#resumed.has(id)) {
      this.#resumed.add(id);
      onResumed();
    }
    this.#begun.add(id);
  }

  #heard(stream: Stream, { watch_id, canceled, events }: WatchAnswer): void {
    if (stream !== this.#stream) return;
    this.#pause = backoff.first;
    const watched = this.#watched.get(watch_id);
    if (!watched) return;
    if (this.#resumed.delete(watch_id)) watched.onAnswered();
    if (canceled) {
      this.#watched.delete(watch_id);
      watched.onLost();
      if (this.#watched.size === 0) this.#end();
      return;
    }
    const last = events.at(-1);
    if (!last) return;
    watched.from = Number(last.kv.mod_revision) + 1;
    watched.onEvents(events);
  }

  #broken(stream: Stream): void {
    if (stream !== this.#stream) return;
    this.#stream = undefined;
    this.#openLater();
  }

  #openLater(): void {
    if (this.#closed || this.#watched.size === 0) return;
    this.#again ??= this.#clock.after(this.#pause, () => {
      this.#again = undefined;
      this.#open();
    });
    this.#pause = Math.min(2 * this.#pause, backoff.most);
  }

  #end(): void {
    const stream = this.#stream;
    this.#stream = undefined;
    if (stream) cancel(stream);
  }

  close(): void {
    this.#closed = true;
    this.#again?.();
    this.#watched.clear();
    this.#end();
  }
}

/** A stream that we end ourselves is not to count against the member that it goes to: etcd3 looks whether it is writable. */
function cancel(stream: Stream): void {
  stream.end();
  stream.cancel();
}
