import { PlayedEtcd } from './etcd.js';
import { Random } from './random.js';
import { PlayedReferee } from './referee.js';
import { Service } from './service.js';
import { PlayedSide } from './side.js';
import { Timeline } from './timeline.js';
import type { Trouble } from './wire.js';

/** What was seen of a history. */
export interface Seen {
  readonly acquisitions: number;
  readonly faults: number;
  /** In words. */
  readonly violations: readonly string[];
}

const capacities = { mutex: 1, semaphore: 3 };
const names = Object.keys(capacities);

/** How long things go wrong for, and how long it may take until all are let in again, in milliseconds. */
const [troubled, patience] = [20_000, 60_000];

/**
 * Processes that never stop wanting the same permits of an etcd, while everything goes wrong, in no time. All that is left to
 * chance comes from the seed, so that a history can be played again.
 *
 * In the end, when nothing goes wrong any more, all are to be let in again, and nothing may be left.
 */
export async function play(seed: number): Promise<Seen> {
  const { random } = Math;
  Math.random = new Random(seed + 1).next;
  try {
    const history = new History(new Random(seed));
    return await history.time.play(history.run());
  } finally {
    Math.random = random;
  }
}

class History {
  readonly time = new Timeline();
  readonly #random: Random;
  readonly #etcd: PlayedEtcd;
  readonly #service: Service;
  readonly #referee: PlayedReferee;
  readonly #sides: PlayedSide[] = [];
  readonly #lease: number;
  readonly #start: () => void;
  #faults = 0;

  constructor(random: Random) {
    const { time } = this;
    this.#random = random;
    this.#etcd = new PlayedEtcd(time, random);
    const service = new Service(this.#etcd, random);
    const referee = new PlayedReferee(this.#etcd, capacities);
    const lease = random.oneOf([2_000, 2_000, 3_000]);
    const usual = random.oneOf([0.5, 2, 20]);
    const longest = random.oneOf([20, 20, 200, 5_000]);
    [this.#service, this.#referee, this.#lease] = [service, referee, lease];
    const around = { time, random, service, referee, capacities, lease, usual, longest };
    this.#start = () => this.#sides.push(new PlayedSide(around));
  }

  async run(): Promise<Seen> {
    const [processes, atOnce] = [this.#random.oneOf([2, 3]), this.#random.oneOf([1, 1, 2, 3])];
    for (let i = 0; i < processes; i++) this.#start();
    await Promise.all(Array.from({ length: atOnce }, () => this.#goWrong()));
    await this.#goOn();
    await this.#end();
    const { acquisitions, violations } = this.#referee;
    return { acquisitions, faults: this.#faults, violations };
  }

  async #goWrong(): Promise<void> {
    while (this.time.now < troubled && this.#referee.violations.length === 0) {
      await this.time.sleep(this.#random.between(0, 500));
      this.#faults++;
      await this.#random.oneOf(this.#wrongs)(this.#random.oneOf(this.#sides));
    }
  }

  #aWhile(): Promise<void> {
    return this.time.sleep(this.#random.between(0.02, 2) * this.#lease);
  }

  async #trouble({ wire }: PlayedSide, trouble: Trouble): Promise<void> {
    wire.set(trouble);
    await this.#aWhile();
    wire.set({});
  }

  /** Whoever is asked may die. */
  async #inTime(step: Promise<void>): Promise<void> {
    await Promise.race([step.catch(() => {}), this.time.sleep(this.#lease)]);
  }

  /** Something goes wrong, and is right again when it resolves. */
  readonly #wrongs: readonly ((side: PlayedSide) => Promise<void>)[] = [
    (side) => this.#trouble(side, { requests: true, answers: true }),
    (side) => this.#trouble(side, { requests: true }),
    (side) => this.#trouble(side, { answers: true }),
    (side) => this.#trouble(side, { refused: true }),
    (side) => this.#trouble(side, { slow: this.#random.between(20, 500) }),
    (side) => this.#trouble(side, { scattered: this.#random.between(0, 2) * this.#lease }),
    (side) => this.#trouble(side, { lost: this.#random.next() }),
    async ({ wire }) => wire.reset(),
    async ({ process }) => {
      process.stop();
      await this.#aWhile();
      process.wake();
      this.#referee.woken(process);
    },
    async (side) => {
      side.kill();
      this.#sides.splice(this.#sides.indexOf(side), 1);
      this.#start();
    },
    async () => {
      this.#service.freeze();
      await this.#aWhile();
      this.#service.thaw(this.#random.chance(0.5));
    },
    async () => {
      this.#service.kill();
      await this.#aWhile();
      this.#service.restart();
    },
    async () => this.#etcd.compact(),
    ({ locks }) => this.#inTime(locks.pause(this.#random.oneOf(names), this.#random.between(1, this.#lease))),
    ({ locks }) => {
      const capacity = this.#random.oneOf([2, 3, 4, 5, undefined]);
      this.#referee.raise('semaphore', capacity ?? 0);
      return this.#inTime(locks.setCapacity('semaphore', capacity));
    },
  ];

  async #goOn(): Promise<void> {
    const before = this.#sides.map(({ times }) => new Map(times));
    const waiting = () =>
      this.#sides.flatMap(({ times }, i) =>
        names.filter((name) => times.get(name) === before[i]!.get(name)).map((name) => `${name} (${i})`),
      );
    const end = this.time.now + patience;
    while (this.time.now < end && waiting().length > 0) await this.time.sleep(100);
    for (const one of waiting()) this.#referee.found(`nobody was let in again to ${one}`);
  }

  async #end(): Promise<void> {
    const [side] = this.#sides;
    // What was asked for before may yet be carried out.
    await this.time.sleep(10_000);
    await side!.locks.setCapacity('semaphore', undefined);
    await Promise.all(this.#sides.map((side) => side.rest()));
    // Sessions go on for as long as something is held, and nothing else may go on with them.
    const lease = this.#lease;
    const held = await Promise.all(this.#sides.map(({ locks }, i) => locks.acquire(`idle-${i}`, { lease })));
    await this.time.sleep(30_000);
    for (const { key } of this.#etcd.keys)
      if (!key.startsWith('lk/idle-')) this.#referee.found(`${key} is left`);
    await Promise.all(held.map((permit) => permit.release()));
    await Promise.all(this.#sides.map(({ locks }) => locks.close()));
    await this.time.sleep(this.#lease + 1_000);
    for (const { key } of this.#etcd.keys) this.#referee.found(`${key} is left at the end`);
  }
}
