import { createLocks, type Locks, type Permit } from 'lockkeeper';
import { EtcdParty } from '../../src/locks/etcd/party.js';
import { PlayedProcess } from './process.js';
import type { Random } from './random.js';
import type { PlayedReferee } from './referee.js';
import type { Service } from './service.js';
import type { Timeline } from './timeline.js';
import { Wire } from './wire.js';

export interface Surroundings {
  readonly time: Timeline;
  readonly random: Random;
  readonly service: Service;
  readonly referee: PlayedReferee;
  /** Of what is wanted. */
  readonly capacities: Readonly<Record<string, number>>;
  /** Milliseconds. */
  readonly lease: number;
  /** How long a message is under way for, in milliseconds. */
  readonly usual: number;
  /** How long permits are held at most, in milliseconds. */
  readonly longest: number;
}

/** A process that never stops wanting the same permits, whatever it is told, until it ends. */
export class PlayedSide {
  readonly process: PlayedProcess;
  readonly wire: Wire;
  readonly locks: Locks;
  /** How often it was let in, by resource. */
  readonly times = new Map<string, number>();
  readonly #around: Surroundings;
  readonly #loops: Promise<void>[] = [];
  #over = false;

  constructor(around: Surroundings) {
    const { time, random, service, capacities, lease, usual } = around;
    this.#around = around;
    this.process = new PlayedProcess(time, random, random.oneOf([0, 0, 600_000, -600_000]));
    this.wire = new Wire(this.process, service, random, usual);
    const source = { name: 'played', open: async () => this.wire, close: () => {} };
    const coordinator = new EtcdParty(source, 'lk/', this.process);
    const resources = Object.entries(capacities).map(([name, capacity]) => [name, { capacity, lease }]);
    this.locks = createLocks({ coordinator, clock: this.process, resources: Object.fromEntries(resources) });
    const several = random.oneOf([1, 2]);
    for (const [name, capacity] of Object.entries(capacities))
      for (let i = 0; i < several; i++) this.#loops.push(this.#loop(name, capacity));
  }

  /** Wants nothing any more. */
  async rest(): Promise<void> {
    this.#over = true;
    await Promise.all(this.#loops);
  }

  kill(): void {
    this.process.kill();
    this.wire.reset();
    this.#around.service.onDeath.delete(this.wire.reset);
    this.#around.referee.dead(this.process);
  }

  async #loop(name: string, capacity: number): Promise<void> {
    while (!this.#over) {
      try {
        await this.#turn(name, capacity);
      } catch {
        await this.#sleep(20);
      }
    }
  }

  async #turn(name: string, capacity: number): Promise<void> {
    const { random, referee, longest } = this.#around;
    const permit = await this.#acquire(name, capacity);
    if (!permit) return await this.#sleep(5);
    const leave = referee.enter({ permit, process: this.process });
    this.times.set(name, (this.times.get(name) ?? 0) + 1);
    await this.#sleep(random.between(0, longest));
    leave();
    const released = permit.release();
    if (random.chance(0.5)) await released;
  }

  /** Mostly patiently. */
  async #acquire(name: string, capacity: number): Promise<Permit | undefined> {
    const { random } = this.#around;
    const weight = capacity > 1 ? 1 + random.upTo(1) : 1;
    const way = random.next();
    if (way < 0.1) return await this.locks.tryAcquire(name, { weight });
    if (way > 0.2) return await this.locks.acquire(name, { weight, waitTimeout: random.between(50, 10_000) });
    const controller = new AbortController();
    const cancel = this.process.after(random.between(0, 50), () => controller.abort());
    try {
      return await this.locks.acquire(name, { weight, signal: controller.signal, waitTimeout: 10_000 });
    } finally {
      cancel();
    }
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.process.after(ms, resolve));
  }
}
