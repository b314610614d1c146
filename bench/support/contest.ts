/**
 * Many who want the same resource, in processes of their own: each process runs the same number of loops, and each loop
 * asks for the resource again as soon as it has given it back.
 */
import type { ChildProcess } from 'node:child_process';
import type { CoordinatorBench } from '../coordinators/bench.js';
import { newName } from './names.js';
import { type Figures, quantile } from './rounds.js';
import { startProgram, told } from './told.js';

/** One way to hold a resource, as it is opened in each of the processes: when it is there it is connected. */
export type Contender = (where: Where) => Promise<Holding> | Holding;

export interface Where {
  readonly url: string;
  readonly resource: string;
  readonly capacity: number;
}

export interface Holding {
  /** Waits for a share of the resource, and holds it while the body runs. */
  hold(body: () => Promise<void>): Promise<void>;
  /** How many it has sent since it was last asked, where that is not counted in this process. */
  requests?(): Promise<number>;
  close(): Promise<void>;
}

export interface Shape {
  readonly holds: number;
  readonly ms: number;
  readonly capacity: number;
}

/** What a process is told to do. */
export interface Part extends Where {
  readonly contest: 'semaphores' | 'mutexes';
  readonly contender: string;
  readonly ms: number;
  readonly loops: number;
  readonly holds: number;
}

/** What came of it. Moments are in milliseconds since 1970, for they are compared between processes. */
export interface Outcome {
  /** Milliseconds of all bodies. */
  readonly worked: number;
  /** Milliseconds from asking to holding, of each hold. */
  readonly waits: readonly number[];
  readonly first: number;
  readonly last: number;
  readonly requests: number;
}

export const waiters = 200;

/** Waiters of a contender, in processes that live from round to round. */
export class Contestants {
  readonly #members: readonly ChildProcess[];
  readonly #contender: string;
  readonly #url: string;

  constructor({ processes }: CoordinatorBench, contender: string, url: string) {
    this.#members = Array.from({ length: processes }, () => startProgram(program));
    this.#contender = contender;
    this.#url = url;
  }

  /** One round: so many holds in all, of a resource of its own. They begin at once. */
  async round(shape: Shape): Promise<Figures> {
    const { holds, ms, capacity } = shape;
    const members = this.#members;
    const part: Part = {
      url: this.#url,
      resource: newName('contended'),
      capacity,
      contest: capacity === 1 ? 'mutexes' : 'semaphores',
      contender: this.#contender,
      ms,
      loops: waiters / members.length,
      holds: holds / members.length,
    };
    await Promise.all(members.map((member) => told(member, part)));
    const outcomes = await Promise.all(members.map((member) => told<Outcome>(member, 'go')));
    return figuresOf(outcomes, shape);
  }

  end(): void {
    for (const member of this.#members) member.disconnect();
  }
}

const program = new URL('./contender.ts', import.meta.url);

function figuresOf(outcomes: readonly Outcome[], { holds, ms, capacity }: Shape): Figures {
  const sum = (of: (outcome: Outcome) => number) => outcomes.reduce((all, one) => all + of(one), 0);
  const first = Math.min(...outcomes.map((outcome) => outcome.first));
  const last = Math.max(...outcomes.map((outcome) => outcome.last));
  const waits = outcomes.flatMap((outcome) => outcome.waits);
  const [latencyP50Ms, latencyP99Ms] = [quantile(waits, 0.5), quantile(waits, 0.99)];
  return {
    makespanMs: last - first,
    makespanRatio: (last - first) / ((holds * ms) / capacity),
    capacityUsed: sum(({ worked }) => worked) / (capacity * (last - first)),
    coordinatorCallsPerTask: sum(({ requests }) => requests) / holds,
    latencyP50Ms,
    latencyP99Ms,
    latencyP99ToP50: latencyP99Ms / latencyP50Ms,
  };
}
