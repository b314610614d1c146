import { ClosedError, ConfigError, CoordinatorUnavailableError } from '../../errors.js';
import { isMisconfiguration } from '../../redis/client.js';
import { RedisConnection } from '../../redis/connection.js';
import type { RedisSource } from '../../redis/open.js';
import type { Script } from '../../redis/script.js';
import { Batches, type Step } from './batches.js';
import { type Keys, keysOf } from './keys.js';
import { Wakes } from './wakes.js';

/** One side's connection to the service, and what the layouts share: steps in time, wake-ups, and errors in our words. */
export class RedisService {
  readonly prefix: string;
  readonly wakes: Wakes;
  readonly #connection: RedisConnection;
  readonly #batches: Batches;
  #closed = false;

  constructor(source: RedisSource, prefix: string) {
    this.prefix = prefix;
    this.#connection = new RedisConnection(source);
    this.#batches = new Batches(this.#connection);
    this.wakes = new Wakes(this.#connection, prefix);
  }

  keysOf(resource: string): Keys {
    return keysOf(this.prefix, resource);
  }

  /** The reply of a script. Rejects with the errors of the contract, and none else. */
  // biome-ignore lint/suspicious/noExplicitAny: each script has its own replies
  async run(script: Script, resource: string, step: Step, timeout: number): Promise<any> {
    this.mustBeOpen();
    try {
      return checkVersion(resource, await this.#batches.run(script, step, timeout));
    } catch (error) {
      throw this.#inOurWords(resource, error);
    }
  }

  #inOurWords(resource: string, error: unknown): Error {
    if (error instanceof ConfigError) return error;
    if (this.#closed) return closed();
    if (!isMisconfiguration(error)) return new CoordinatorUnavailableError('redis', { cause: error });
    return new ConfigError(`Redis refused a step for "${resource}": ${(error as Error).message}`, {
      cause: error,
    });
  }

  mustBeOpen(): void {
    if (this.#closed) throw closed();
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.wakes.close();
    await this.#connection.close();
  }
}

const closed = () => new ClosedError('The Redis coordinator');

/** What a later version of this package has written is left alone, for nobody knows what it means. */
function checkVersion<R>(resource: string, reply: R): R {
  if (!Array.isArray(reply) || reply[0] !== 'version') return reply;
  throw new ConfigError(
    `"${resource}" is kept in Redis in version ${reply[1]} of its layout, and this package knows version 1: ` +
      'use the same version of it everywhere, or another `prefix`',
  );
}
