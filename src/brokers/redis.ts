import { checkObject, checkWhole } from '../check.js';
import { BrokerUnavailableError } from '../errors.js';
import type { Message } from '../message.js';
import type { DuplicableClient } from '../redis/client.js';
import { checkPrefix, redisFrom } from '../redis/given.js';
import { Link } from '../redis/link.js';
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
import { RedisConsumer } from './redis/consumer.js';
import { locateIn, statesOfRooms } from './redis/inspection.js';
import { registryKey } from './redis/layout.js';
import { RedisQueue } from './redis/queue.js';

export interface RedisBrokerOptions {
  /** What the names of all keys begin with. Default: the `prefix` of the URL, else `lk`. */
  readonly prefix?: string;
  /** A larger message in a queue, in bytes, is set aside instead of being handed to a worker. Default 16 MiB. */
  readonly maxMessageBytes?: number;
}

/**
 * The broker in a Redis 6.2 or later, alone, behind Sentinels, or a Cluster.
 *
 * Hand over a URL (`redis:`, `rediss:`, `redis+sentinel:`, `redis+cluster:`), or a client of ioredis 5 or 6 that stays
 * yours to close. Throws `ConfigError` for what is neither.
 */
export function redisBroker(redis: string | DuplicableClient, options: RedisBrokerOptions = {}): Broker {
  return new RedisBroker(redis, options);
}

/** Queues are independent of each other: each has its keys, in one slot of a Cluster, and every step is in one queue. */
export class RedisBroker implements Broker {
  readonly kind = 'redis';
  readonly features: BrokerFeatures = {
    priority: true,
    atomicAgain: true,
    revocation: true,
    deadlines: true,
    inspection: true,
  };
  /** @internal */
  readonly prefix: string;
  readonly #redis: string | DuplicableClient;
  readonly #link: Link;
  readonly #largest: number;
  readonly #queues = new Map<string, RedisQueue>();
  readonly #consumers = new Set<RedisConsumer>();
  #closing: Promise<void> | undefined;

  constructor(redis: string | DuplicableClient, options: RedisBrokerOptions = {}) {
    checkObject(options, 'options', ['prefix', 'maxMessageBytes']);
    const source = redisFrom(redis);
    this.#redis = redis;
    this.prefix = checkPrefix(options.prefix ?? source.prefix ?? 'lk');
    this.#largest = checkWhole(options.maxMessageBytes ?? 16_777_216, 'maxMessageBytes', 1_024);
    this.#link = new Link(source, {
      what: 'The redis broker',
      unavailable: (cause) => new BrokerUnavailableError('redis', { cause }),
    });
    this.#link.onReady(() => {
      for (const consumer of this.#consumers) consumer.returned();
    });
  }

  /**
   * What it was given, so that limits and results can be kept beside it.
   *
   * @internal
   */
  get redis(): string | DuplicableClient {
    return this.#redis;
  }

  async publish(messages: readonly Message[], { queue, delay }: PublishOptions): Promise<void> {
    await this.#queue(queue).publish(messages, delay);
  }

  /**
   * Publishes what need not be a message, as something else that writes to the same queue might.
   *
   * @internal
   */
  async inject(queue: string, text: string): Promise<void> {
    await this.#queue(queue).inject(text);
  }

  async consume(queues: readonly string[], options: ConsumeOptions): Promise<Consumer> {
    const served = [...new Set(queues)].map((name) => this.#queue(name));
    const consumer = new RedisConsumer(served, options, {
      largest: this.#largest,
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
    return await this.#queue(queue).depth();
  }

  async rooms(queue: string): Promise<readonly RoomState[]> {
    const there = this.#queue(queue);
    return (await there.isThere()) ? await statesOfRooms(there) : [];
  }

  async locate(id: string, queues: readonly string[]): Promise<Located | undefined> {
    const found = await Promise.all(
      queues.map(async (name) => {
        const queue = this.#queue(name);
        return (await queue.isThere()) ? await locateIn(queue, id) : undefined;
      }),
    );
    const all = found.filter((one) => one !== undefined);
    return (
      all.find(({ where }) => where === 'running') ?? all.find(({ where }) => where !== 'apart') ?? all[0]
    );
  }

  async purge(queue: string): Promise<number> {
    return await this.#queue(queue).purge();
  }

  /** Queues that begin later than this know nothing of it. */
  async revoke(id: string): Promise<void> {
    const names: string[] = await this.#link.run((client) =>
      client.call('smembers', [registryKey(this.prefix)]),
    );
    await Promise.all(names.map((name) => this.#queue(name).revoke(id)));
  }

  async aside(queue: string): Promise<readonly Aside[]> {
    return await this.#queue(queue).asides();
  }

  async replay(queue: string, asideId: string): Promise<boolean> {
    return await this.#queue(queue).replay(asideId);
  }

  async discard(queue: string, asideId: string): Promise<boolean> {
    return await this.#queue(queue).discard(asideId);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await Promise.all([...this.#consumers].map((consumer) => consumer.close()));
    await this.#link.close();
  }

  #queue(name: string): RedisQueue {
    this.#link.checkOpen();
    const queue = this.#queues.get(name) ?? new RedisQueue(name, this.prefix, this.#link);
    this.#queues.set(name, queue);
    return queue;
  }
}
