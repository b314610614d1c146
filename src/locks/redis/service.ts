import { ClosedError, ConfigError, CoordinatorUnavailableError } from '../../errors.js';
import { isMisconfiguration } from '../../redis/client.js';
import { RedisConnection } from '../../redis/connection.js';
import type { RedisSource } from '../../redis/open.js';
import type { Script } from '../../redis/script.js';
import { Batches, type Step } from './batches.js';
import { type KnownKeys, keysOf } from './keys.js';
import { Wakes } from './wakes.js';

/** Whose claims they are, and the channel they are woken by. */
export interface Party {
  readonly owner: string;
  /** The channel; the owner, as JSON. */
  readonly lines: string;
  /** The owner and the channel, as JSON. */
  readonly list: string;
}

/** Of so many resources the names of the keys are kept. */
const mostKeys = 1_000;

/** One side's connection to the service, and what the layouts share: steps in time, wake-ups, and errors in our words. */
export class RedisService {
  readonly prefix: string;
  readonly wakes: Wakes;
  readonly #connection: RedisConnection;
  readonly #batches: Batches;
  /** Of the resources that were asked for lately. */
  readonly #keys = new Map<string, KnownKeys>();
  #party: Party | undefined;
  #closed = false;

  constructor(source: RedisSource, prefix: string) {
    this.prefix = prefix;
    this.#connection = new RedisConnection(source);
    this.#batches = new Batches(this.#connection, {
      refusal: otherVersion,
      told: (step, error) => this.#told(step, error),
    });
    this.wakes = new Wakes(this.#connection, prefix);
  }

  keysOf(resource: string): KnownKeys {
    const known = this.#keys.get(resource);
    if (known) return known;
    if (this.#keys.size >= mostKeys) this.#keys.clear();
    const keys = { ...keysOf(this.prefix, resource), quick: false };
    this.#keys.set(resource, keys);
    return keys;
  }

  /** This side, as the claims of an owner tell it. */
  partyOf(owner: string): Party {
    if (this.#party?.owner !== owner) this.#party = partyOf(owner, this.wakes.channel);
    return this.#party;
  }

  /** The reply of a script. Rejects with the errors of the contract, and none else. */
  // biome-ignore lint/suspicious/noExplicitAny: each script has its own replies
  run(script: Script, step: Step, timeout: number): Promise<any> {
    return this.#closed ? Promise.reject(closed()) : this.#batches.run(script, step, timeout);
  }

  /** The same step for several resources. */
  // biome-ignore lint/suspicious/noExplicitAny: as above
  runAll(script: Script, steps: readonly Step[], timeout: number): Promise<any> {
    if (steps.length === 1) return this.run(script, steps[0] as Step, timeout);
    return Promise.all(steps.map((step) => this.run(script, step, timeout)));
  }

  #told({ resource }: Step, error: unknown): Error {
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

function partyOf(owner: string, channel: string): Party {
  const json = JSON.stringify(owner);
  return { owner, lines: `${channel}\n${json}`, list: `${json},${JSON.stringify(channel)}` };
}

const closed = () => new ClosedError('The Redis coordinator');

/** What a later version of this package has written is left alone, for nobody knows what it means. */
function otherVersion({ resource }: Step, reply: unknown): ConfigError | undefined {
  if (!Array.isArray(reply) || reply[0] !== 'version') return undefined;
  return new ConfigError(
    `"${resource}" is kept in Redis in version ${reply[1]} of its layout, and this package knows version 1: ` +
      'use the same version of it everywhere, or another `prefix`',
  );
}
