import type { EtcdClient, EtcdStream, WatchAnswer, WatchRequest } from '../../src/locks/etcd/client.js';
import type { Watcher } from './etcd.js';
import type { PlayedProcess } from './process.js';
import type { Random } from './random.js';
import { type Service, unavailable } from './service.js';

/** What is wrong with it. */
export interface Trouble {
  /** What is sent does not arrive, until it does. */
  requests?: boolean;
  /** What is answered does not arrive, until it does. */
  answers?: boolean;
  /** Nobody can be reached. */
  refused?: boolean;
  /** Milliseconds that everything takes longer, more or less. */
  slow?: number;
  /** Milliseconds that anything may take longer: it comes in any order. */
  scattered?: number;
  /** The part of the answers that are lost. */
  lost?: number;
}

type Way = 'requests' | 'answers';

interface Call {
  fail(error: Error): void;
  dropped: boolean;
}

/** How a process reaches etcd: the client that it has, and everything that can happen on the way. */
export class Wire implements EtcdClient {
  readonly #process: PlayedProcess;
  readonly #service: Service;
  readonly #random: Random;
  readonly #usual: number;
  #trouble: Trouble = {};
  readonly #held: Record<Way, (() => void)[]> = { requests: [], answers: [] };
  readonly #calls = new Set<Call>();
  readonly #streams = new Set<PlayedStream>();

  /** `usual`: how long something is under way for, in milliseconds. */
  constructor(process: PlayedProcess, service: Service, random: Random, usual: number) {
    this.#process = process;
    this.#service = service;
    this.#random = random;
    this.#usual = usual;
    service.onDeath.add(this.reset);
  }

  readonly kv: EtcdClient['kv'] = {
    txn: (request) => this.#call(() => this.#service.etcd.transact(request)),
  };

  readonly leaseClient: EtcdClient['leaseClient'] = {
    leaseGrant: ({ TTL }) => this.#call(() => this.#service.etcd.grant(TTL)),
    leaseRevoke: ({ ID }) => this.#call(() => this.#service.etcd.revoke(ID)),
    leaseTimeToLive: ({ ID }) => this.#call(() => this.#service.etcd.left(ID)),
    leaseKeepAlive: async () => {
      const stream = new Listeners<{ TTL: string }>();
      const write = ({ ID }: { ID: string }) => {
        this.#call(() => this.#service.etcd.keepAlive(ID)).then(
          (answer) => stream.emit('data', answer),
          (error) => stream.emit('error', error),
        );
      };
      return { on: stream.on, write, end: () => {}, cancel: () => {} } as EtcdStream<
        { ID: string },
        { TTL: string }
      >;
    },
  };

  readonly watchClient: EtcdClient['watchClient'] = {
    watch: async () => {
      if (this.#trouble.refused) throw unavailable();
      const stream = new PlayedStream(this.#process, this.#service, () => this.#delay());
      stream.holds = this.#trouble;
      this.#streams.add(stream);
      return stream;
    },
  };

  /** From now on this is wrong; what was wrong before is not. What was held up goes on, or is lost with its connection. */
  set(trouble: Trouble): void {
    this.#trouble = trouble;
    if (trouble.refused) this.reset();
    for (const way of ['requests', 'answers'] as const) {
      if (trouble[way]) continue;
      const held = this.#held[way].splice(0);
      if (this.#random.chance(0.5)) held.sort(() => this.#random.next() - 0.5);
      for (const goOn of held) if (this.#random.chance(0.8)) this.#process.time.after(this.#delay(), goOn);
    }
    for (const stream of this.#streams) stream.hold(trouble);
  }

  /** All connections are gone. */
  readonly reset = (): void => {
    for (const call of this.#calls) {
      call.dropped = this.#random.chance(0.5);
      call.fail(unavailable());
    }
    for (const stream of this.#streams) stream.break();
    this.#streams.clear();
  };

  #call<T>(carryOut: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      const told = (tell: () => void) => {
        this.#calls.delete(call);
        this.#process.happens(tell);
      };
      const call = { fail: (error: Error) => told(() => reject(error)), dropped: false };
      this.#calls.add(call);
      const answer = (tell: () => void) => this.#send('answers', () => told(tell));
      const refuse = (error: Error) => answer(() => reject(error));
      const perform = () => {
        try {
          const value = carryOut();
          if (!this.#random.chance(this.#trouble.lost ?? 0)) answer(() => resolve(value));
          else if (this.#random.chance(0.5)) refuse(unavailable());
        } catch (error) {
          refuse(error as Error);
        }
      };
      const arrive = () => call.dropped || this.#service.arrive({ carryOut: perform, refuse });
      if (this.#trouble.refused) refuse(unavailable());
      else this.#send('requests', arrive);
    });
  }

  #send(way: Way, goOn: () => void): void {
    this.#process.time.after(this.#delay(), () => {
      if (this.#trouble[way]) this.#held[way].push(goOn);
      else goOn();
    });
  }

  /** Mostly as usual, sometimes much longer. */
  #delay(): number {
    const { slow = 0, scattered = 0 } = this.#trouble;
    const usual = this.#random.between(0.3, 1.7) * this.#usual;
    const late = this.#random.between(0.5, 1.5) * slow + this.#random.next() * scattered;
    const luck = this.#random.next();
    if (luck < 0.002) return usual + late + this.#random.between(0, 4_000);
    if (luck < 0.02) return usual + late + this.#random.between(0, 100);
    return usual + late;
  }
}

/** What is written to a stream, and what it tells, comes in order. */
class PlayedStream implements EtcdStream<WatchRequest, WatchAnswer> {
  holds: Trouble = {};
  readonly #process: PlayedProcess;
  readonly #service: Service;
  readonly #delay: () => number;
  readonly #listeners = new Listeners<WatchAnswer>();
  readonly #watchers = new Map<string, Watcher>();
  readonly #lanes = { requests: new Lane(), answers: new Lane() };
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

  readonly #inbox: WatchAnswer[] = [];

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

  hold(trouble: Trouble): void {
    this.holds = trouble;
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
      if (this.holds[way] || this.#over) return;
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

class Listeners<T> {
  readonly #all: [event: string, listener: (of: never) => void][] = [];

  readonly on = (event: string, listener: (of: never) => void): void => {
    this.#all.push([event, listener]);
  };

  emit(event: 'data' | 'error', of: T | Error): void {
    for (const [name, listener] of this.#all) if (name === event) listener(of as never);
  }
}
