import { randomUUID } from 'node:crypto';
import type { Broker } from '../../../src/brokers/broker.js';
import type { Message } from '../../../src/message.js';
import { until } from '../../support/until.js';

/** Tasks with a number each, and what became of them. */
export class Tally {
  readonly queue = `faults-${randomUUID()}`;
  /** How often the body of each task started, and returned. */
  readonly started = new Map<number, number>();
  readonly ended = new Map<number, number>();
  #published = 0;

  /** Publishes so many more. */
  async publish(broker: Broker, count: number): Promise<void> {
    const first = this.#published;
    this.#published += count;
    for (let from = 0; from < count; from += 1_000) {
      const size = Math.min(1_000, count - from);
      const messages = Array.from({ length: size }, (_, i) => messageOf(first + from + i));
      await broker.publish(messages, { queue: this.queue });
    }
  }

  start(index: number): void {
    this.started.set(index, (this.started.get(index) ?? 0) + 1);
  }

  end(index: number): void {
    this.ended.set(index, (this.ended.get(index) ?? 0) + 1);
  }

  /** Bodies that started, counted as often as they did. */
  get starts(): number {
    return [...this.started.values()].reduce((sum, count) => sum + count, 0);
  }

  /** Bodies that started though they had before. */
  get again(): number {
    return this.starts - this.started.size;
  }

  /** Resolves when all have returned, and the queue has nothing left. */
  async whole(broker: Broker, timeoutMs = 60_000): Promise<void> {
    await until(() => this.ended.size === this.#published, timeoutMs).catch((cause) => {
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

function messageOf(index: number): Message {
  return {
    id: `task-${index}`,
    task: 'work',
    args: [index],
    retries: 0,
    deferrals: 0,
    priority: 0,
    sentAt: Date.now(),
  };
}
