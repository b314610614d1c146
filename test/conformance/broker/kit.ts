import { randomUUID } from 'node:crypto';
import { afterEach, expect } from 'vitest';
import type {
  Broker,
  BrokerFeatures,
  ConsumeOptions,
  Consumer,
  Delivery,
  Depth,
  Outcome,
  Parking,
  Room,
  Taken,
} from '../../../src/brokers/broker.js';
import type { Message } from '../../../src/message.js';
import { until } from '../../support/until.js';

/** What the suite needs to know of a broker to put it to the test. */
export interface BrokerHarness {
  /** What this broker is expected to be able to do. */
  readonly features: BrokerFeatures;
  /** Milliseconds: the lease that consumers are given. As short as the broker keeps reliably. */
  readonly lease: number;
  /** A party with a connection of its own to the same service. */
  connect(): Promise<Broker>;
  /** Lets milliseconds pass, on a clock that is moved by hand or in truth. */
  pass(ms: number): Promise<void>;
  /** Milliseconds since 1970, by the clock the broker goes by. */
  wall(): number;
  /** As if the consumer's process were killed. */
  vanish(consumer: Consumer): Promise<void>;
  /** Puts a text into a queue as it is. */
  inject(queue: string, text: string): Promise<void>;
  /** A name that no queue has had before. */
  queue(): string;
  /** After every test, when all that it opened is closed. */
  cleanup?(): Promise<void>;
}

export interface Kit extends Omit<BrokerHarness, 'cleanup'> {
  /** Consumes, and keeps whatever it is told. */
  work(broker: Broker, queues: string | readonly string[], options?: Partial<ConsumeOptions>): Promise<Hands>;
  /** Messages that went through a worker's hands into a room, in this order; nobody consumes afterwards. */
  park(
    broker: Broker,
    queue: string,
    messages: readonly Message[],
    parking?: Partial<Parking>,
  ): Promise<void>;
  /** Long enough for whatever should not happen to have happened. */
  quiet(): Promise<void>;
}

/** Registers what ends a test: nothing that was opened stays open. */
export function createKit(harness: BrokerHarness): Kit {
  const opened: { close(): Promise<void> }[] = [];
  const open = <T extends { close(): Promise<void> }>(party: T): T => {
    opened.push(party);
    return party;
  };

  afterEach(async () => {
    for (const party of opened.splice(0).reverse()) await party.close();
    await harness.cleanup?.();
  });

  const kit: Kit = {
    ...harness,
    connect: async () => open(await harness.connect()),
    quiet: () => harness.pass(200),

    async vanish(consumer) {
      // Whoever is dead does not say goodbye either.
      opened.splice(opened.indexOf(consumer), 1);
      await harness.vanish(consumer);
    },

    async work(broker, queues, options) {
      const hands = new Hands();
      const served = typeof queues === 'string' ? [queues] : queues;
      hands.consumer = open(await broker.consume(served, { ...hands.options(harness.lease), ...options }));
      return hands;
    },

    async park(broker, queue, messages, parking) {
      const hands = await kit.work(broker, queue, { concurrency: messages.length });
      await broker.publish(messages, { queue });
      for (const delivery of await hands.receiveEach(messages)) {
        expect(await delivery.settle(parked(delivery.message, parking))).toBe(true);
      }
      await hands.consumer.close();
    },
  };
  return kit;
}

/** One worker, and everything it was told. */
export class Hands {
  consumer!: Consumer;
  readonly deliveries: Delivery[] = [];
  readonly rooms: Room[] = [];
  readonly revoked: string[] = [];
  /** Arguments of the messages delivered and `idle`, in order. */
  readonly events: unknown[] = [];
  #seen = 0;

  options(lease: number): ConsumeOptions {
    return {
      concurrency: 1,
      lease,
      onDelivery: (delivery) => {
        this.deliveries.push(delivery);
        this.events.push(delivery.message.args[0]);
      },
      onIdle: () => this.events.push('idle'),
      onRoom: (room) => this.rooms.push(room),
      onRevoked: (id) => this.revoked.push(id),
    };
  }

  get ids(): string[] {
    return this.deliveries.map(({ message }) => message.id);
  }

  /** The next delivery that was not asked for yet. */
  async receiveOne(): Promise<Delivery> {
    const at = this.#seen++;
    await until(() => this.deliveries.length > at);
    return this.deliveries[at]!;
  }

  async receive(count: number): Promise<Delivery[]> {
    const received: Delivery[] = [];
    while (received.length < count) received.push(await this.receiveOne());
    return received;
  }

  /** The deliveries of these messages, in this order: what is in hand at once may come in any. */
  async receiveEach(messages: readonly Message[]): Promise<Delivery[]> {
    const received = await this.receive(messages.length);
    return messages.map(({ id }) => {
      const delivery = received.find(({ message }) => message.id === id);
      if (!delivery) throw new Error(`Message ${id} was not delivered`);
      return delivery;
    });
  }

  /** Takes with a free slot, once there is one. */
  async take(resource: string, weight = 1): Promise<Taken> {
    await until(() => this.consumer.idle > 0);
    return this.consumer.take(resource, { weight });
  }

  async taken(resource: string, weight = 1): Promise<Delivery> {
    return deliveryOf(await this.take(resource, weight));
  }

  /** Settles one delivery and goes on with the next of the room, as a hand-off does. */
  async handOff(delivery: Delivery, resource: string, outcome: Outcome = done, weight = 1): Promise<Taken> {
    return this.consumer.take(resource, { weight, settling: { delivery, outcome } });
  }
}

export function deliveryOf(taken: Taken): Delivery {
  if (taken.kind !== 'taken') throw new Error(`Expected a delivery to be taken, got ${taken.kind}`);
  return taken.delivery;
}

export const done: Outcome = { kind: 'done' };

/** A resource that every test may use, since rooms belong to a queue. */
export const resource = 'printer';

export function call(fields: Partial<Message> = {}): Message {
  const id = fields.id ?? randomUUID();
  return {
    task: 'test',
    args: [id],
    retries: 0,
    deferrals: 0,
    priority: 0,
    sentAt: 1_700_000_000_000,
    ...fields,
    id,
  };
}

export function calls(count: number, fields: Partial<Message> = {}): Message[] {
  return Array.from({ length: count }, () => call(fields));
}

export function idsOf(messages: readonly { readonly id: string }[]): string[] {
  return messages.map(({ id }) => id);
}

export function again(message: Message, after = 0): Outcome {
  return { kind: 'again', message, after };
}

export function parked(message: Message, parking: Partial<Parking> = {}): Outcome {
  return {
    kind: 'again',
    message,
    room: { resource, weight: 1, capacity: 1, countdown: 60_000, ...parking },
  };
}

const empty: Depth = { ready: 0, delayed: 0, parked: 0, running: 0, apart: 0 };

/** Waits until the messages of the queue are where they should be, all of them. */
export async function untilDepth(broker: Broker, queue: string, depth: Partial<Depth>): Promise<void> {
  const wanted = { ...empty, ...depth };
  let found: Depth | undefined;
  await until(async () => {
    found = await broker.depth(queue);
    return (Object.keys(wanted) as (keyof Depth)[]).every((place) => found?.[place] === wanted[place]);
  }).catch(() => expect(found).toEqual(wanted));
}
