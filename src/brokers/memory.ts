import { type Clock, systemClock } from '../clock.js';
import { ClosedError } from '../errors.js';
import { encode, type Message } from '../message.js';
import type {
  Aside,
  Broker,
  BrokerFeatures,
  ConsumeOptions,
  Consumer,
  Depth,
  Located,
  PublishOptions,
  RoomState,
} from './broker.js';
import { Agenda } from './memory/agenda.js';
import { MemoryConsumer } from './memory/consumer.js';
import { Pump } from './memory/pump.js';
import { type Commons, MemoryQueue } from './memory/queue.js';
import { Revocations } from './memory/revocations.js';

export interface MemoryBrokerOptions {
  readonly clock?: Clock;
}

/** The embedded broker: within one process, with nothing to install, and gone with it. */
export function memoryBroker(options?: MemoryBrokerOptions): Broker {
  return new MemoryBroker(options);
}

/**
 * Everything happens in one process and every step is synchronous inside, so each is atomic by itself. What is told to
 * consumers is told later, never from within the call that caused it.
 */
export class MemoryBroker implements Broker {
  readonly kind = 'memory';
  readonly features: BrokerFeatures = {
    priority: true,
    atomicAgain: true,
    revocation: true,
    deadlines: true,
    inspection: true,
  };
  readonly #queues = new Map<string, MemoryQueue>();
  readonly #pump = new Pump();
  readonly #commons: Commons;
  #published = 0;
  #closed = false;

  constructor({ clock = systemClock }: MemoryBrokerOptions = {}) {
    this.#commons = {
      clock,
      agenda: new Agenda(clock),
      revocations: new Revocations(clock),
      order: () => this.#published++,
      onReady: () => this.#pump.wake(),
      onRoom: (queue, room) => this.#pump.tell((consumer) => consumer.onRoom(queue, room)),
    };
  }

  async publish(messages: readonly Message[], { queue, delay }: PublishOptions): Promise<void> {
    const home = this.#queue(queue);
    // All are encoded before the first is added: a message that cannot be must not leave half of the call behind.
    const texts = messages.map((message) => encode(message));
    for (const [i, text] of texts.entries()) home.add(text, messages[i], delay);
  }

  /**
   * Publishes what need not be a message, as something else that writes to the same broker might.
   *
   * @internal
   */
  inject(queue: string, text: string): void {
    this.#queue(queue).add(text, undefined);
  }

  async consume(queues: readonly string[], options: ConsumeOptions): Promise<Consumer> {
    const served = [...new Set(queues)].map((name) => this.#queue(name));
    return new MemoryConsumer(served, options, this.#commons, this.#pump);
  }

  async depth(queue: string): Promise<Depth> {
    return this.#queue(queue).depth();
  }

  async rooms(queue: string): Promise<readonly RoomState[]> {
    return this.#queue(queue).roomStates();
  }

  async locate(id: string, queues: readonly string[]): Promise<Located | undefined> {
    const all = queues.map((queue) => this.#queue(queue));
    const running = this.#pump.inHand(id, all);
    if (running) return { queue: running.queue, message: running.message, where: 'running' };
    const waiting = all.map((queue) => queue.locate(id)).find((found) => found !== undefined);
    return waiting ?? all.map((queue) => queue.locateApart(id)).find((found) => found !== undefined);
  }

  async purge(queue: string): Promise<number> {
    return this.#queue(queue).purge();
  }

  async revoke(id: string): Promise<void> {
    this.#checkOpen();
    const { revocations } = this.#commons;
    revocations.mark(id);
    for (const entry of revocations.waiting(id)) entry.queue.release(entry);
    this.#pump.tell((consumer) => consumer.onRevoked(id));
  }

  async aside(queue: string): Promise<readonly Aside[]> {
    return this.#queue(queue).asides();
  }

  async replay(queue: string, asideId: string): Promise<boolean> {
    return this.#queue(queue).replay(asideId);
  }

  async discard(queue: string, asideId: string): Promise<boolean> {
    return this.#queue(queue).discard(asideId);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#pump.close();
    this.#commons.agenda.clear();
    this.#queues.clear();
  }

  #queue(name: string): MemoryQueue {
    this.#checkOpen();
    const queue = this.#queues.get(name) ?? new MemoryQueue(name, this.#commons);
    this.#queues.set(name, queue);
    return queue;
  }

  #checkOpen(): void {
    if (this.#closed) throw new ClosedError('The memory broker');
  }
}
