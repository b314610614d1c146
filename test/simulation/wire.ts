import type { EtcdClient, EtcdStream } from '../../src/locks/etcd/client.js';
import type { PlayedProcess } from './process.js';
import type { Random } from './random.js';
import { type Service, unavailable } from './service.js';
import { type Held, Listeners, PlayedStream, type Way } from './stream.js';

/** What is wrong on the way. */
export interface Trouble extends Held {
  /** Nobody can be reached. */
  refused?: boolean;
  /** Milliseconds that everything takes longer, more or less. */
  slow?: number;
  /** Milliseconds that anything may take longer: it comes in any order. */
  scattered?: number;
  /** The part of the answers that are lost. */
  lost?: number;
}

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
      stream.hold(this.#trouble);
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
