import { checkObject, checkWhole } from '../check.js';
import { sleep, systemClock } from '../clock.js';
import { ClosedError, ConfigError, ResultStoreUnavailableError } from '../errors.js';
import type { Unsubscribe } from '../events.js';
import type { Reply } from '../message.js';
import { RabbitConnection } from '../rabbitmq/connection.js';
import { type LinkUser, told } from '../rabbitmq/link.js';
import { type ConnectionOpener, type RabbitSource, rabbitFrom } from '../rabbitmq/open.js';
import { Publisher } from '../rabbitmq/publisher.js';
import { decodeState, encodeState, taskIdIn } from './celery-meta.js';
import { MemoryResults } from './memory.js';
import type { ResultStore, StoredState } from './result-store.js';
import { ReplyQueue } from './rpc/reply-queue.js';

export interface RpcResultsOptions {
  /** So many states that came in are remembered, the latest ones. Default 10,000. */
  readonly keep?: number;
}

/**
 * Results that are not kept but sent, as Celery's `rpc://` has it: every app has a queue for replies, says in its calls
 * what that is, and whoever runs a task sends there what becomes of it. A process is told of its own calls only, and of no
 * others.
 *
 * Hand over a URL (`amqp:`, `amqps:`), or a function that opens a connection of amqplib. Throws `ConfigError` for what
 * is neither.
 */
export function rpcResults(rabbit: string | ConnectionOpener, options: RpcResultsOptions = {}): ResultStore {
  return new RpcResults(rabbitFrom(rabbit), options);
}

/** A step that was not answered is tried again after these pauses, in milliseconds. A state that comes twice is one. */
const pauses = [100, 250, 500, 1_000, 1_000, 1_000];

/** States that came in are remembered for so long, in milliseconds. */
const remembered = 86_400_000;

const user: LinkUser = {
  what: 'The rpc result store',
  unavailable: (cause) => new ResultStoreUnavailableError('rpc', { cause }),
};

export class RpcResults implements ResultStore {
  readonly kind = 'rpc';
  readonly features = { kept: false, groups: false };
  readonly #connection: RabbitConnection;
  readonly #publisher: Publisher;
  readonly #replies: ReplyQueue;
  /** What came in. */
  readonly #known = new MemoryResults();
  /** Ids of what came in, the latest last. */
  readonly #latest = new Set<string>();
  readonly #keep: number;
  #closed = false;

  constructor(source: RabbitSource, options: RpcResultsOptions = {}) {
    checkObject(options, 'options', ['keep']);
    this.#keep = checkWhole(options.keep ?? 10_000, 'keep');
    this.#connection = new RabbitConnection(source, { label: 'lockkeeper results' });
    this.#publisher = new Publisher(this.#connection);
    const prefix = source.prefix ?? 'lk';
    this.#replies = new ReplyQueue(this.#connection, prefix, (id, text) => this.#heard(id, text));
  }

  /** Resolves when whoever listens for it will get it. Without a `reply` nobody does; one that nobody listens at is gone. */
  async put(id: string, state: StoredState, _ttl: number, reply?: Reply): Promise<void> {
    this.#checkOpen();
    if (!reply) return;
    const body = Buffer.from(encodeState(id, state));
    const properties = {
      contentType: 'application/json',
      contentEncoding: 'utf-8',
      ...short(reply.correlationId ?? id),
      persistent: true,
    };
    await this.#step(() => this.#publisher.publish({ key: reply.to, body, properties }));
  }

  get hasSent(): boolean {
    return this.#publisher.hasSent;
  }

  async ready(): Promise<void> {
    this.#checkOpen();
    await this.#publisher.open();
  }

  async address(): Promise<string> {
    this.#checkOpen();
    return await this.#step(() => this.#replies.open());
  }

  async get(id: string): Promise<StoredState | undefined> {
    this.#checkOpen();
    return await this.#known.get(id);
  }

  async watch(id: string, listener: (state: StoredState) => void): Promise<Unsubscribe> {
    this.#checkOpen();
    return await this.#known.watch(id, listener);
  }

  async forget(id: string): Promise<void> {
    this.#checkOpen();
    this.#latest.delete(id);
    await this.#known.forget(id);
  }

  async join(): Promise<never> {
    this.#checkOpen();
    throw new ConfigError(
      'Results that are sent (rpc://) cannot be gathered, since nobody has them all: name a Redis as `results`',
    );
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#replies.close();
    await this.#publisher.close();
    await this.#connection.close();
    await this.#known.close();
  }

  #heard(asked: string | undefined, text: string): void {
    const state = decodeState(text);
    const id = asked ?? taskIdIn(text);
    if (!state || id === undefined || this.#closed) return;
    void this.#known.put(id, state, remembered);
    this.#latest.delete(id);
    this.#latest.add(id);
    if (this.#latest.size <= this.#keep) return;
    const [oldest] = this.#latest;
    this.#latest.delete(oldest as string);
    void this.#known.forget(oldest as string);
  }

  async #step<T>(step: () => Promise<T>): Promise<T> {
    for (const pause of pauses) {
      try {
        return await step();
      } catch (error) {
        const why = told(user, error, this.#closed);
        if (!(why instanceof ResultStoreUnavailableError)) throw why;
        await sleep(systemClock, pause, { keepAlive: true });
      }
    }
    return await step().catch((error) => {
      throw told(user, error, this.#closed);
    });
  }

  #checkOpen(): void {
    if (this.#closed) throw new ClosedError(user.what);
  }
}

/** AMQP has 255 bytes for it. */
function short(id: string): { correlationId?: string } {
  return Buffer.byteLength(id) <= 255 ? { correlationId: id } : {};
}
