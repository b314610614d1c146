/**
 * Workers in processes of their own, whose tasks share one resource. Each tells what it did when it is told to end.
 */
import type { ChildProcess } from 'node:child_process';
import { newName } from '../support/names.js';
import type { Figures } from '../support/rounds.js';
import { startProgram, told } from '../support/told.js';

export interface Load {
  readonly tasks: number;
  readonly ms: number;
  readonly capacity: number;
}

/** What a worker is told. */
export interface Part extends Load {
  readonly broker: string;
  readonly coordinator: string;
  /** Of the queue, and of the resource. */
  readonly name: string;
  readonly slots: number;
}

/** What a worker did. Moments are in milliseconds since 1970, for they are compared between processes. */
export interface Deeds {
  /** Of each task that it ran: its place in publish order, and when it started. */
  readonly starts: readonly (readonly [index: number, at: number])[];
  /** Milliseconds of all bodies. */
  readonly worked: number;
  readonly last: number;
  readonly deliveries: number;
  readonly coordinatorCalls: number;
}

/** Whoever sends the messages. */
export interface Publisher {
  publish(part: Part): Promise<void>;
}

const workers = 2;

/** Workers of 25 slots each. They live from round to round, as workers do, with an app and a queue of its own for each. */
export class Crew {
  readonly #members: readonly ChildProcess[];
  readonly #publisher: Publisher;

  constructor(program: URL, publisher: Publisher) {
    this.#members = Array.from({ length: workers }, () => startProgram(program));
    this.#publisher = publisher;
  }

  /** One round. They are there before the messages. */
  async round(where: Where, load: Load): Promise<Figures> {
    const part: Part = { ...where, ...load, name: newName('crew'), slots: 25 };
    await Promise.all(this.#members.map((member) => told(member, part)));
    const over = allDone(this.#members, load.tasks);
    await this.#publisher.publish(part);
    await over;
    const deeds = await Promise.all(this.#members.map((member) => told<Deeds>(member, 'end')));
    return figuresOf(deeds, load);
  }

  end(): void {
    for (const member of this.#members) member.disconnect();
  }
}

/** Each tells how many bodies have ended. */
function allDone(children: readonly ChildProcess[], tasks: number): Promise<void> {
  let left = tasks;
  return new Promise((resolve) => {
    const onMessage = (ended: number) => {
      left -= ended;
      if (left > 0) return;
      for (const child of children) child.off('message', onMessage);
      resolve();
    };
    for (const child of children) child.on('message', onMessage);
  });
}

export interface Where {
  readonly broker: string;
  readonly coordinator: string;
}

export function figuresOf(deeds: readonly Deeds[], { tasks, ms, capacity }: Load): Figures {
  const sum = (of: (one: Deeds) => number) => deeds.reduce((all, one) => all + of(one), 0);
  const starts = deeds.flatMap((one) => one.starts).sort(([, a], [, b]) => a - b);
  const makespanMs = Math.max(...deeds.map(({ last }) => last)) - (starts[0]?.[1] ?? 0);
  return {
    makespanMs,
    makespanRatio: makespanMs / ((tasks * ms) / capacity),
    capacityUsed: sum(({ worked }) => worked) / (capacity * makespanMs),
    deliveriesPerTask: sum(({ deliveries }) => deliveries) / tasks,
    coordinatorCallsPerTask: sum(({ coordinatorCalls }) => coordinatorCalls) / tasks,
    ...disorder(starts.map(([index]) => index)),
  };
}

/** How the order of the starts differs from publish order. */
export function disorder(order: readonly number[]): Figures {
  let [inversions, invertedPairs] = [0, 0];
  for (const [place, index] of order.entries()) {
    inversions = Math.max(inversions, Math.abs(place - index));
    for (let later = place + 1; later < order.length; later++)
      if ((order[later] ?? 0) < index) invertedPairs++;
  }
  return { inversions, invertedPairs };
}

/** Bodies of a worker, and what came of them. */
export class Diary {
  readonly #starts: [index: number, at: number][] = [];
  readonly #ms: number;
  #worked = 0;
  #last = 0;
  /** Ended, and not told of yet. */
  #untold = 0;

  constructor({ ms }: Load) {
    this.#ms = ms;
  }

  readonly body = async (index: number): Promise<void> => {
    const start = now();
    this.#starts.push([index, start]);
    await new Promise((resolve) => setTimeout(resolve, this.#ms));
    this.#last = now();
    this.#worked += this.#last - start;
    // To tell of each would take the processors' time away from what is measured.
    if (this.#untold++ === 0) setTimeout(this.#tell, 50);
  };

  readonly #tell = (): void => {
    process.send?.(this.#untold);
    this.#untold = 0;
  };

  deeds(counts: Pick<Deeds, 'deliveries' | 'coordinatorCalls'>): Deeds {
    return { ...counts, starts: this.#starts, worked: this.#worked, last: this.#last };
  }
}

const now = () => performance.timeOrigin + performance.now();

/** A worker for one round after another: it is opened by its part, and tells of itself when it is told to end. */
export function serve(open: (part: Part) => Promise<() => Promise<Deeds>>): void {
  let end: (() => Promise<Deeds>) | undefined;
  process.on('message', (part: Part | 'end') => {
    void (async () => {
      if (part !== 'end') end = await open(part);
      process.send?.(part === 'end' ? await end?.() : 'ready');
    })();
  });
  process.once('disconnect', () => process.exit());
}
