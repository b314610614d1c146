import { randomUUID } from 'node:crypto';
import { checkObject } from '../check.js';
import { sleep, systemClock } from '../clock.js';
import { ResultStoreUnavailableError } from '../errors.js';
import { Events, type Unsubscribe } from '../events.js';
import type { DuplicableClient, RedisClient } from '../redis/client.js';
import { checkPrefix, redisFrom } from '../redis/given.js';
import { Link } from '../redis/link.js';
import { decodeState, encodeState } from './celery-meta.js';
import { join, put } from './redis/scripts.js';
import type { ResultStore, StoredState } from './result-store.js';

export interface RedisResultsOptions {
  /** What the names of all keys begin with. Default: the `prefix` of the URL, else nothing, as with Celery. */
  readonly prefix?: string;
}

/**
 * Results in a Redis 6.2 or later, alone, behind Sentinels, or a Cluster, where Celery keeps them: in the key
 * `celery-task-meta-ID`, as the same JSON.
 *
 * Hand over a URL (`redis:`, `rediss:`, `redis+sentinel:`, `redis+cluster:`), or a client of ioredis 5 or 6 that stays
 * yours to close. Throws `ConfigError` for what is neither.
 */
export function redisResults(
  redis: string | DuplicableClient,
  options: RedisResultsOptions = {},
): ResultStore {
  return new RedisResults(redis, options);
}

/** A step that was not answered is tried again after these pauses, in milliseconds: all of them are safe to repeat. */
const pauses = [100, 250, 500, 1_000, 1_000, 1_000];

export class RedisResults implements ResultStore {
  readonly kind = 'redis';
  readonly features = { kept: true, groups: true };
  readonly #link: Link;
  readonly #prefix: string;

  constructor(redis: string | DuplicableClient, options: RedisResultsOptions = {}) {
    checkObject(options, 'options', ['prefix']);
    const source = redisFrom(redis);
    const prefix = options.prefix ?? source.prefix;
    this.#prefix = prefix === undefined ? '' : checkPrefix(prefix);
    this.#link = new Link(source, {
      what: 'The redis result store',
      unavailable: (cause) => new ResultStoreUnavailableError('redis', { cause }),
    });
  }

  async ready(): Promise<void> {
    await this.#link.run((client) => client.call('ping', []));
  }

  async put(id: string, state: StoredState, ttl: number): Promise<void> {
    const key = this.#keyOf(id);
    const args = [encodeState(id, state), wholeMs(ttl), key];
    await this.#step((client) => put.run(client, [key], args));
  }

  async get(id: string): Promise<StoredState | undefined> {
    const text = await this.#text(id);
    return text === null ? undefined : decodeState(text);
  }

  /** When nothing could be heard for a while, it looks for itself. */
  async watch(id: string, listener: (state: StoredState) => void): Promise<Unsubscribe> {
    this.#link.checkOpen();
    const events = new Events<{ state: StoredState }>();
    events.on('state', listener);
    let begun = false;
    let last: string | undefined;
    const tell = (text: string) => {
      last = text;
      const state = decodeState(text);
      if (state) events.emit('state', state);
    };
    const catchUp = async () => {
      const text = await this.#text(id);
      if (text !== null && text !== last) tell(text);
    };
    const hearing = this.#link.channels.hear(this.#keyOf(id), {
      onMessage: tell,
      onHearing: () => void (begun && catchUp().catch(() => {})),
    });
    try {
      await this.#link.heard(hearing.begun);
    } catch (error) {
      hearing.stop();
      throw error;
    }
    begun = true;
    return hearing.stop;
  }

  async forget(id: string): Promise<void> {
    await this.#step((client) => client.call('del', [this.#keyOf(id)]));
  }

  async join(
    group: string,
    { size, index, value }: { size: number; index: number; value: unknown },
    ttl: number,
  ): Promise<unknown[] | undefined> {
    const key = `${this.#prefix || 'lk'}:group:${group}`;
    const args = [size, index, JSON.stringify({ value }), wholeMs(ttl), randomUUID()];
    const parts: string[] | null = await this.#step((client) => join.run(client, [key], args));
    return parts?.map((part) => (JSON.parse(part) as { value?: unknown }).value);
  }

  async close(): Promise<void> {
    await this.#link.close();
  }

  #keyOf(id: string): string {
    return `${this.#prefix}celery-task-meta-${id}`;
  }

  #text(id: string): Promise<string | null> {
    return this.#step((client) => client.call('get', [this.#keyOf(id)]));
  }

  // biome-ignore lint/suspicious/noExplicitAny: each step has its own reply
  async #step(step: (client: RedisClient) => Promise<any>): Promise<any> {
    for (const pause of pauses) {
      try {
        return await this.#link.run(step);
      } catch (error) {
        if (!(error instanceof ResultStoreUnavailableError)) throw error;
        await sleep(systemClock, pause);
      }
    }
    return await this.#link.run(step);
  }
}

/** Whole, and one at least: a key is not kept for less. */
function wholeMs(ms: number): number {
  return Math.max(1, Math.ceil(ms));
}
