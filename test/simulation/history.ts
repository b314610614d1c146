import { createLocks, type Locks, type Permit } from 'lockkeeper';
import { decode } from '../../src/locks/etcd/entry.js';
import { EtcdParty } from '../../src/locks/etcd/party.js';
import { tokenOf } from '../../src/locks/etcd/token.js';
import { PlayedEtcd, type Stored } from './etcd.js';
import { PlayedProcess } from './process.js';
import { Random } from './random.js';
import { Service } from './service.js';
import { Timeline } from './timeline.js';
import { type Trouble, Wire } from './wire.js';

/** What was seen of a history. */
export interface Seen {
  readonly acquisitions: number;
  readonly faults: number;
  /** In words. */
  readonly violations: readonly string[];
}

/** A permit that somebody has been given and has not given back, and in which process. */
interface Stay {
  readonly permit: Permit;
  readonly side: Side;
  readonly until: number;
}

interface Side {
  readonly process: PlayedProcess;
  readonly wire: Wire;
  readonly locks: Locks;
  readonly loops: Promise<void>[];
  readonly times: Record<string, number>;
}

const capacities: Readonly<Record<string, number>> = { mutex: 1, semaphore: 3 };
const names = Object.keys(capacities);

/**
 * Processes that never stop wanting the same permits of an etcd, while everything goes wrong, at an hour a second or so. All
 * that is left to chance comes from the seed, so a history can be played again.
 *
 * Looked at is, at every grant, whether the weights of all who say that they hold add up to more than the capacity and
 * whether its token is the largest; at every deletion whether somebody says that he holds that key; in the end, when nothing
 * goes wrong any more, whether all are let in again, and whether anything is left.
 */
export async function play(seed: number, milliseconds = 20_000): Promise<Seen> {
  const { random } = Math;
  const chance = new Random(seed);
  Math.random = new Random(seed + 1).next;
  try {
    const history = new History(chance);
    return await history.time.play(history.run(milliseconds));
  } finally {
    Math.random = random;
  }
}

class History {
  readonly time = new Timeline();
  readonly #random: Random;
  readonly #etcd: PlayedEtcd;
  readonly #service: Service;
  readonly #lease: number;
  readonly #usual: number;
  /** How long permits are held at most, in milliseconds. */
  readonly #longest: number;
  readonly #sides: Side[] = [];
  readonly #stays = new Map<string, Set<Stay>>(names.map((name) => [name, new Set()]));
  /** The last that was granted, of each resource. */
  readonly #tokens = new Map<string, bigint>();
  readonly #violations: string[] = [];
  #acquisitions = 0;
  #faults = 0;
  #over = false;

  constructor(random: Random) {
    this.#random = random;
    this.#etcd = new PlayedEtcd(this.time, random);
    this.#service = new Service(this.#etcd, random);
    this.#lease = random.oneOf([2_000, 2_000, 3_000]);
    this.#usual = random.oneOf([0.5, 2, 20]);
    this.#longest = random.oneOf([20, 20, 200, 5_000]);
    this.#etcd.onDeleted = (stored) => this.#gone(stored);
  }

  async run(milliseconds: number): Promise<Seen> {
    for (let i = 0; i < this.#random.oneOf([2, 3]); i++) this.#start();
    const faults = Array.from({ length: this.#random.oneOf([1, 1, 2, 3]) }, () =>
      this.#goWrong(milliseconds),
    );
    await Promise.all(faults);
    await this.#goOn();
    this.#over = true;
    await Promise.all(this.#sides.flatMap(({ loops }) => loops));
    await Promise.all(this.#sides.map(({ locks }) => locks.close()));
    await this.time.sleep(20_000);
    const left = this.#etcd.keys.map(({ key }) => key);
    if (left.length > 0) this.#violations.push(`left are ${left.join(', ')}`);
    return { acquisitions: this.#acquisitions, faults: this.#faults, violations: this.#violations };
  }

  #start(): void {
    const process = new PlayedProcess(this.time, this.#random, this.#random.oneOf([0, 0, 600_000, -600_000]));
    const wire = new Wire(process, this.#service, this.#random, this.#usual);
    const source = { name: 'played', open: async () => wire, close: () => {} };
    const coordinator = new EtcdParty(source, 'lk/', process);
    const resources = Object.fromEntries(
      names.map((name) => [name, { capacity: capacities[name]!, lease: this.#lease }]),
    );
    const locks = createLocks({ coordinator, clock: process, resources });
    const times = Object.fromEntries(names.map((name) => [name, 0]));
    const side: Side = { process, wire, locks, loops: [], times };
    const loops = this.#random.oneOf([1, 2]);
    for (const name of names) for (let i = 0; i < loops; i++) side.loops.push(this.#loop(side, name));
    this.#sides.push(side);
  }

  async #loop(side: Side, name: string): Promise<void> {
    const sleep = (ms: number) => new Promise<void>((resolve) => side.process.after(ms, resolve));
    while (!this.#over) {
      try {
        await this.#turn(side, name, sleep);
      } catch {
        await sleep(20);
      }
    }
  }

  async #turn(side: Side, name: string, sleep: (ms: number) => Promise<void>): Promise<void> {
    const permit = await this.#acquire(side, name);
    if (!permit) return await sleep(5);
    const stays = this.#stays.get(name)!;
    const stay = { permit, side, until: 0 };
    try {
      this.#entered(side, name, permit);
      stays.add(stay);
      await sleep(this.#random.between(0, this.#longest));
    } finally {
      stays.delete(stay);
      const released = permit.release();
      if (this.#random.chance(0.5)) await released;
    }
  }

  async #acquire({ locks, process }: Side, name: string): Promise<Permit | undefined> {
    const weight = 1 + this.#random.upTo(Math.min(1, capacities[name]! - 1));
    const way = this.#random.next();
    if (way < 0.1) return await locks.tryAcquire(name, { weight });
    if (way > 0.2)
      return await locks.acquire(name, { weight, waitTimeout: this.#random.between(50, 10_000) });
    const controller = new AbortController();
    const cancel = process.after(this.#random.between(0, 50), () => controller.abort());
    try {
      return await locks.acquire(name, { weight, signal: controller.signal, waitTimeout: 10_000 });
    } finally {
      cancel();
    }
  }

  #entered(side: Side, name: string, permit: Permit): void {
    if (!permit.held) return;
    this.#acquisitions++;
    side.times[name]!++;
    const others = [...this.#stays.get(name)!].filter((stay) => stay.side.process.runs && stay.permit.held);
    const held = [permit, ...others.map((stay) => stay.permit)].reduce((sum, { weight }) => sum + weight, 0);
    if (held > capacities[name]!)
      this.#found(`${held} of ${capacities[name]} of ${name} are held, the last by ${permit.token}`);
    this.#compareToken(name, permit.token);
  }

  /** Of what one alone has at a time. Runs that are handed on share theirs. */
  #compareToken(name: string, token: bigint): void {
    if (capacities[name] !== 1) return;
    const before = this.#tokens.get(name) ?? -1n;
    if (token < before) this.#found(`the token ${token} of ${name} was granted after ${before}`);
    this.#tokens.set(name, token);
  }

  /** Whoever holds a key that is deleted does not say so any more. */
  #gone(stored: Stored): void {
    for (const { permit, side } of this.#holding(tokenIn(stored)))
      if (side.process.runs && permit.held)
        this.#found(`the key of ${permit.token} of ${permit.resource} is gone`);
  }

  /** Whoever wakes knows at once what he has lost. */
  #woken(side: Side): void {
    const there = new Set(this.#etcd.keys.map(tokenIn));
    for (const { permit, side: whose } of this.#holding())
      if (whose === side && permit.held && !there.has(permit.token))
        this.#found(`the key of ${permit.token} of ${permit.resource} went while its process was stopped`);
  }

  #holding(token?: bigint): Stay[] {
    const all = [...this.#stays.values()].flatMap((stays) => [...stays]);
    return token === undefined ? all : all.filter(({ permit }) => permit.token === token);
  }

  #found(what: string): void {
    this.#violations.push(`at ${Math.round(this.time.now)} ms ${what}`);
  }

  async #goWrong(milliseconds: number): Promise<void> {
    while (this.time.now < milliseconds && this.#violations.length === 0) {
      await this.time.sleep(this.#random.between(0, 500));
      this.#faults++;
      await this.#fault();
    }
  }

  /** Something goes wrong, and is right again when it resolves. */
  async #fault(): Promise<void> {
    const random = this.#random;
    const side = random.oneOf(this.#sides);
    const aWhile = () => this.time.sleep(random.between(0.02, 2) * this.#lease);
    const trouble = async (what: Trouble) => {
      side.wire.set(what);
      await aWhile();
      side.wire.set({});
    };
    const faults = [
      () => trouble({ requests: true, answers: true }),
      () => trouble({ requests: true }),
      () => trouble({ answers: true }),
      () => trouble({ refused: true }),
      () => trouble({ slow: random.between(20, 500) }),
      () => trouble({ lost: random.next() }),
      async () => side.wire.reset(),
      async () => {
        side.process.stop();
        await aWhile();
        side.process.wake();
        this.#woken(side);
      },
      async () => {
        this.#kill(side);
        this.#start();
      },
      async () => {
        this.#service.freeze();
        await aWhile();
        this.#service.thaw(random.chance(0.5));
      },
      async () => {
        this.#service.kill();
        await aWhile();
        this.#service.restart();
      },
      async () => this.#etcd.compact(),
    ];
    await random.oneOf(faults)();
  }

  #kill(side: Side): void {
    side.process.kill();
    side.wire.reset();
    this.#sides.splice(this.#sides.indexOf(side), 1);
    for (const stays of this.#stays.values())
      for (const stay of stays) if (stay.side === side) stays.delete(stay);
  }

  /** When nothing goes wrong any more all are let in again. */
  async #goOn(): Promise<void> {
    const before = this.#sides.map(({ times }) => ({ ...times }));
    const waiting = () =>
      this.#sides.flatMap(({ times }, i) =>
        names.filter((name) => times[name] === before[i]![name]).map((name) => `${name} (process ${i})`),
      );
    for (let waited = 0; waited < 60_000 && waiting().length > 0; waited += 100) await this.time.sleep(100);
    for (const one of waiting()) this.#found(`nobody was let in again to ${one}`);
  }
}

const tokenIn = ({ created, value }: Stored): bigint => tokenOf(created, decode(value));
