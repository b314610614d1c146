import { randomUUID } from 'node:crypto';
import type { Broker } from '../../../src/brokers/broker.js';
import type { Message } from '../../../src/message.js';
import { until } from '../../support/until.js';

/** A body that ran, or runs. */
export interface Run {
  readonly index: number;
  /** Milliseconds, on the clock that all processes of a machine share. */
  readonly from: number;
  until: number;
  readonly attempt: number;
  readonly deferrals: number;
  /** After the end of its delay, in milliseconds. */
  readonly late?: number | undefined;
}

export type RunFacts = Pick<Run, 'from' | 'attempt' | 'deferrals' | 'late'>;

/** Delayed tasks that are due at one moment. */
const batch = 100;

/** Tasks with a number each, and what became of them. */
export class Tally {
  readonly queue = `faults-${randomUUID()}`;
  /** How often the body of each task started, and returned. */
  readonly started = new Map<number, number>();
  readonly ended = new Map<number, number>();
  /** In the order in which they were told of. */
  readonly runs: Run[] = [];
  /** Deliveries that were put off. */
  deferrals = 0;
  /** Bodies whose worker had been given up for dead when they ended: it was too late with its beats. */
  voids = 0;
  #published = 0;

  /** Publishes so many more. */
  async publish(broker: Broker, count: number, { delay }: { delay?: number } = {}): Promise<void> {
    const first = this.#published;
    this.#published += count;
    for (let from = 0; from < count; from += 1_000) {
      const size = Math.min(1_000, count - from);
      const messages = Array.from({ length: size }, (_, i) => messageOf(first + from + i, delay));
      await broker.publish(messages, { queue: this.queue, delay });
    }
  }

  /** Publishes so many more, due one after the other from so many milliseconds from now on, over so many. */
  async publishDelayed(
    broker: Broker,
    count: number,
    { after, over }: { after: number; over: number },
  ): Promise<void> {
    const begin = performance.now();
    for (let sent = 0; sent < count; sent += batch) {
      const due = begin + after + (over * sent) / count;
      const delay = Math.max(1, Math.round(due - performance.now()));
      await this.publish(broker, Math.min(batch, count - sent), { delay });
    }
  }

  start(index: number, facts: RunFacts = { from: performance.now(), attempt: 1, deferrals: 0 }): Run {
    this.started.set(index, (this.started.get(index) ?? 0) + 1);
    const run: Run = { index, ...facts, until: Number.POSITIVE_INFINITY };
    this.runs.push(run);
    return run;
  }

  end(index: number): void {
    this.ended.set(index, (this.ended.get(index) ?? 0) + 1);
  }

  /** Whether all that was published has ended. */
  get idle(): boolean {
    return this.ended.size === this.#published;
  }

  /** Bodies that started, counted as often as they did. */
  get starts(): number {
    return this.runs.length;
  }

  /** Bodies that started though they had before. */
  get again(): number {
    return this.starts - this.started.size;
  }

  /** Bodies that ran at one moment, at most. */
  get most(): number {
    const moments = this.runs.flatMap(({ from, until }) => [
      { at: from, step: 1 },
      { at: until, step: -1 },
    ]);
    // Whoever leaves at the moment at which another comes has left.
    moments.sort((a, b) => a.at - b.at || a.step - b.step);
    let [now, most] = [0, 0];
    for (const { step } of moments) {
      now += step;
      most = Math.max(most, now);
    }
    return most;
  }

  /** Resolves when all have returned, and the queue has nothing left. */
  async whole(broker: Broker, timeoutMs = 60_000): Promise<void> {
    await until(() => this.idle, timeoutMs).catch((cause) => {
      throw new Error(`${this.#published - this.ended.size} of ${this.#published} tasks are missing`, {
        cause,
      });
    });
    await until(async () => {
      const { ready, delayed, parked, running } = await broker.depth(this.queue);
      return ready + delayed + parked + running === 0;
    }, timeoutMs);
  }
}

function messageOf(index: number, delay?: number): Message {
  const sentAt = Date.now();
  return {
    id: `task-${index}`,
    task: 'work',
    args: [index],
    retries: 0,
    deferrals: 0,
    priority: 0,
    sentAt,
    eta: delay === undefined ? undefined : sentAt + delay,
  };
}
