import type { EtcdStream, WatchAnswer, WatchRequest } from '../../src/locks/etcd/client.js';
import type { Watcher } from './etcd.js';
import type { PlayedProcess } from './process.js';
import { type Service, unavailable } from './service.js';

/** What is held up: it does not arrive, until it is no more. */
export interface Held {
  requests?: boolean;
  answers?: boolean;
}

export type Way = keyof Held;

/** What is written to a stream, and what it tells, comes in order. */
export class PlayedStream implements EtcdStream<WatchRequest, WatchAnswer> {
  readonly #process: PlayedProcess;
  readonly #service: Service;
  readonly #delay: () => number;
  readonly #listeners = new Listeners<WatchAnswer>();
  readonly #watchers = new Map<string, Watcher>();
  /** What has come, and is yet to be heard. */
  readonly #inbox: WatchAnswer[] = [];
  readonly #lanes = { requests: new Lane(), answers: new Lane() };
  #held: Held = {};
  #over = false;

  constructor(process: PlayedProcess, service: Service, delay: () => number) {
    this.#process = process;
    this.#service = service;
    this.#delay = delay;
  }

  readonly on = this.#listeners.on as EtcdStream<WatchRequest, WatchAnswer>['on'];

  write({ create_request: create, cancel_request: cancel }: WatchRequest): void {
    this.#send('requests', () => {
      const carryOut = () => {
        if (create) this.#watch(create);
        if (cancel) this.#unwatch(cancel.watch_id);
      };
      this.#service.arrive({ carryOut, refuse: () => this.break() });
    });
  }

  #watch({ watch_id: id, start_revision, ...range }: NonNullable<WatchRequest['create_request']>): void {
    if (this.#over) return;
    const tell = (answer: WatchAnswer) =>
      this.#send('answers', () => this.#process.happens(this.#hear(answer)));
    const watcher = { id, range, tell };
    this.#watchers.set(id, watcher);
    this.#service.etcd.watch(watcher, Number(start_revision));
  }

  /** However a process comes to it, it hears one thing after the other. */
  #hear(answer: WatchAnswer): () => void {
    this.#inbox.push(answer);
    return () => {
      const next = this.#inbox.shift();
      if (next && !this.#over) this.#listeners.emit('data', next);
    };
  }

  #unwatch(id: string): void {
    const watcher = this.#watchers.get(id);
    this.#watchers.delete(id);
    if (watcher) this.#service.etcd.unwatch(watcher);
  }

  hold(held: Held): void {
    this.#held = held;
    this.#pump('requests');
    this.#pump('answers');
  }

  #send(way: Way, goOn: () => void): void {
    this.#lanes[way].push(this.#process.time.now + this.#delay(), goOn);
    this.#pump(way);
  }

  #pump(way: Way): void {
    const lane = this.#lanes[way];
    if (lane.next === undefined || lane.pumps) return;
    lane.pumps = true;
    this.#process.time.after(lane.next - this.#process.time.now, () => {
      lane.pumps = false;
      if (this.#held[way] || this.#over) return;
      lane.shift()?.();
      this.#pump(way);
    });
  }

  break(): void {
    if (this.#over) return;
    this.end();
    this.#process.happens(() => this.#listeners.emit('error', unavailable()));
  }

  end(): void {
    this.#over = true;
    for (const id of this.#watchers.keys()) this.#unwatch(id);
  }

  cancel(): void {
    this.end();
  }
}

/** One way of a stream. */
class Lane {
  pumps = false;
  #last = 0;
  readonly #queue: { readonly at: number; readonly goOn: () => void }[] = [];

  push(at: number, goOn: () => void): void {
    this.#last = Math.max(at, this.#last);
    this.#queue.push({ at: this.#last, goOn });
  }

  get next(): number | undefined {
    return this.#queue[0]?.at;
  }

  shift(): (() => void) | undefined {
    return this.#queue.shift()?.goOn;
  }
}

/** Of a stream. */
export class Listeners<T> {
  readonly #all: [event: string, listener: (of: never) => void][] = [];

  readonly on = (event: string, listener: (of: never) => void): void => {
    this.#all.push([event, listener]);
  };

  emit(event: 'data' | 'error', of: T | Error): void {
    for (const [name, listener] of this.#all) if (name === event) listener(of as never);
  }
}
