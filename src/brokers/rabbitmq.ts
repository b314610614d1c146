import { checkObject, checkWhole } from '../check.js';
import { BrokerUnavailableError, ClosedError, ConfigError } from '../errors.js';
import type { Message } from '../message.js';
import { CallChannel } from '../rabbitmq/channel.js';
import { RabbitConnection } from '../rabbitmq/connection.js';
import { type LinkUser, told } from '../rabbitmq/link.js';
import { type ConnectionOpener, checkPrefix, type RabbitSource, rabbitFrom } from '../rabbitmq/open.js';
import { Publisher } from '../rabbitmq/publisher.js';
import type {
  Aside,
  Broker,
  BrokerFeatures,
  ConsumeOptions,
  Consumer,
  Depth,
  Located,
  PublishOptions,
  QueueOptions,
  RoomState,
} from './broker.js';
import { RabbitConsumer } from './rabbitmq/consumer.js';
import { type CeleryQueue, type Names, namesOf, newsExchange } from './rabbitmq/names.js';
import { NewsDesk } from './rabbitmq/news.js';
import { RabbitQueue } from './rabbitmq/queue.js';

export interface RabbitmqBrokerOptions {
  /** What the names of all queues and exchanges begin with. Default: the `prefix` of the URL, else `lk`. */
  readonly prefix?: string;
  /** A larger message in a queue, in bytes, is set aside instead of being handed to a worker. Default 16 MiB. */
  readonly maxMessageBytes?: number;
}

/**
 * The broker in a RabbitMQ 3.10 or later, a single server or a cluster.
 *
 * Hand over a URL (`amqp:`, `amqps:`), or a function that opens a connection of amqplib with the heartbeat it is told. Each
 * worker has a connection of its own. Throws `ConfigError` for what is neither.
 */
export function rabbitmqBroker(
  rabbit: string | ConnectionOpener,
  options: RabbitmqBrokerOptions = {},
): Broker {
  return new RabbitmqBroker(rabbit, options);
}

const user: LinkUser = {
  what: 'The rabbitmq broker',
  unavailable: (cause) => new BrokerUnavailableError('rabbitmq', { cause }),
};

/** See `rabbitmq/topology.ts` for what a queue is there, and `rabbitmq/rooms.ts` for where its rooms are. */
export class RabbitmqBroker implements Broker {
  readonly kind = 'rabbitmq';
  readonly features: BrokerFeatures = {
    priority: false,
    atomicAgain: false,
    revocation: false,
    deadlines: false,
    inspection: false,
  };
  /** The server's `consumer_timeout` is 30 minutes if nobody has set it, and it looks once a minute. */
  readonly patience = {
    ms: 1_500_000,
    advice: 'set `consumer_timeout = 7200000` (milliseconds, longer than any run) in rabbitmq.conf',
  };
  /** @internal */
  readonly prefix: string;
  /** @internal */
  readonly source: RabbitSource;
  readonly #connection: RabbitConnection;
  readonly #publisher: Publisher;
  readonly #calls: CallChannel;
  readonly #desk: NewsDesk;
  readonly #largest: number;
  readonly #queues = new Map<string, RabbitQueue>();
  /** Those that are shared with Celery. */
  readonly #celery = new Map<string, CeleryQueue>();
  readonly #consumers = new Set<RabbitConsumer>();
  #closing: Promise<void> | undefined;

  constructor(rabbit: string | ConnectionOpener, options: RabbitmqBrokerOptions = {}) {
    checkObject(options, 'options', ['prefix', 'maxMessageBytes']);
    this.source = rabbitFrom(rabbit);
    this.prefix = checkPrefix(options.prefix ?? this.source.prefix ?? 'lk');
    this.#largest = checkWhole(options.maxMessageBytes ?? 16_777_216, 'maxMessageBytes', 1_024);
    this.#connection = new RabbitConnection(this.source, { label: 'lockkeeper' });
    this.#publisher = new Publisher(this.#connection);
    this.#calls = new CallChannel(this.#connection);
    this.#desk = new NewsDesk(this.#connection, newsExchange(this.prefix));
  }

  declare(queue: string, { celery }: QueueOptions): void {
    if (!celery) return;
    const asked: CeleryQueue = celery === true ? {} : celery;
    const known = this.#celery.get(queue);
    if (known ? known.maxPriority !== asked.maxPriority : this.#queues.has(queue)) {
      throw new ConfigError(
        `The queue "${queue}" is in use already, and not as it is declared now: declare it once`,
      );
    }
    this.#celery.set(queue, asked);
  }

  async publish(messages: readonly Message[], { queue, delay }: PublishOptions): Promise<void> {
    await this.#run(() => this.#queue(queue).publish(messages, delay));
  }

  /**
   * Publishes what need not be a message, as something else that writes to the same queue might.
   *
   * @internal
   */
  async inject(queue: string, text: string): Promise<void> {
    await this.#run(() => this.#queue(queue).inject(text));
  }

  /**
   * Removes a queue with all that belongs to it, for tests that make many.
   *
   * @internal
   */
  async drop(queue: string): Promise<void> {
    await this.#run(() => this.#queue(queue).drop());
  }

  async consume(queues: readonly string[], options: ConsumeOptions): Promise<Consumer> {
    this.#checkOpen();
    const consumer = new RabbitConsumer(options, {
      connection: new RabbitConnection(this.source, {
        heartbeat: heartbeatFor(options.lease),
        label: 'lockkeeper worker',
      }),
      queues: [...new Set(queues)].map((queue) => this.#namesOf(queue)),
      news: newsExchange(this.prefix),
      largest: this.#largest,
      user,
      onClose: () => this.#consumers.delete(consumer),
    });
    this.#consumers.add(consumer);
    try {
      await consumer.start();
    } catch (error) {
      this.#consumers.delete(consumer);
      throw error;
    }
    return consumer;
  }

  async depth(queue: string): Promise<Depth> {
    return await this.#run(() => this.#queue(queue).census.depth());
  }

  async rooms(_queue: string): Promise<readonly RoomState[]> {
    throw noInspection('the rooms of a queue');
  }

  async locate(_id: string, _queues: readonly string[]): Promise<Located | undefined> {
    throw noInspection('where a message is');
  }

  async purge(queue: string): Promise<number> {
    return await this.#run(() => this.#queue(queue).census.purge());
  }

  /** Workers that are there are told. What waits is not found. */
  async revoke(id: string): Promise<void> {
    await this.#run(async () => {
      await this.#calls.call((channel) =>
        channel.assertExchange(newsExchange(this.prefix), 'direct', { durable: true }),
      );
      await this.#desk.tellAll({ kind: 'revoked', id });
    });
  }

  async aside(queue: string): Promise<readonly Aside[]> {
    return await this.#run(async () => (await this.#queue(queue).shelf()).list());
  }

  async replay(queue: string, asideId: string): Promise<boolean> {
    return await this.#run(async () => (await this.#queue(queue).shelf()).replay(asideId));
  }

  async discard(queue: string, asideId: string): Promise<boolean> {
    return await this.#run(async () => (await this.#queue(queue).shelf()).discard(asideId));
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await Promise.all([...this.#consumers].map((consumer) => consumer.close()));
    await this.#connection.close();
  }

  async #run<T>(work: () => Promise<T>): Promise<T> {
    this.#checkOpen();
    try {
      return await work();
    } catch (error) {
      throw told(user, error, this.#closing !== undefined);
    }
  }

  #checkOpen(): void {
    if (this.#closing) throw new ClosedError(user.what);
  }

  #namesOf(queue: string): Names {
    return namesOf(this.prefix, queue, this.#celery.get(queue));
  }

  #queue(name: string): RabbitQueue {
    const queue =
      this.#queues.get(name) ??
      new RabbitQueue(this.#namesOf(name), newsExchange(this.prefix), {
        connection: this.#connection,
        publisher: this.#publisher,
        calls: this.#calls,
        desk: this.#desk,
      });
    this.#queues.set(name, queue);
    return queue;
  }
}

/** Seconds. The server gives up who has not been heard for two of them, a little later; three fit into the lease. */
function heartbeatFor(lease: number): number {
  return Math.max(1, Math.floor(lease / 3_000));
}

function noInspection(what: string): ConfigError {
  return new ConfigError(
    `RabbitMQ lets nobody look into queues, so the rabbitmq broker cannot tell ${what}. Ask the workers by their health probe`,
  );
}
