import type { PlayedEtcd } from './etcd.js';
import type { Random } from './random.js';

interface Arrival {
  readonly carryOut: () => void;
  readonly refuse: (error: Error) => void;
}

export const unavailable = () => new Error('14 UNAVAILABLE: connection dropped');

/** Whether the server answers, and what becomes of what arrives when it does not. */
export class Service {
  readonly etcd: PlayedEtcd;
  /** Told when it dies, and with it all connections. */
  readonly onDeath = new Set<() => void>();
  readonly #random: Random;
  #state: 'up' | 'frozen' | 'down' = 'up';
  #waiting: Arrival[] = [];

  constructor(etcd: PlayedEtcd, random: Random) {
    this.etcd = etcd;
    this.#random = random;
  }

  arrive(arrival: Arrival): void {
    if (this.#state === 'up') arrival.carryOut();
    else if (this.#state === 'frozen') this.#waiting.push(arrival);
    else arrival.refuse(unavailable());
  }

  freeze(): void {
    this.#state = 'frozen';
    this.etcd.stop();
  }

  /** `anew`: another leader was elected meanwhile. */
  thaw(anew: boolean): void {
    this.#state = 'up';
    const waiting = this.#waiting;
    this.#waiting = [];
    // What is due and what has arrived are done in either order.
    if (this.#random.chance(0.5)) this.etcd.goOn(anew);
    for (const { carryOut } of waiting) carryOut();
    this.etcd.goOn(anew);
  }

  /** Some of what waits is done, but nobody is told. */
  kill(): void {
    for (const { carryOut } of this.#waiting) if (this.#random.chance(0.5)) carryOut();
    this.#waiting = [];
    this.#state = 'down';
    this.etcd.stop();
    for (const tell of this.onDeath) tell();
  }

  restart(): void {
    this.#state = 'up';
    this.etcd.goOn(true);
  }
}
