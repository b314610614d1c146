import { createHash } from 'node:crypto';
import type { RedisClient } from './client.js';

type Argument = string | Buffer | number;

/** A Lua script: one atomic step on the server. It is named by its digest, and sent whole when the server lacks it. */
export class Script {
  readonly #source: string;
  readonly #sha: string;

  constructor(source: string) {
    this.#source = source;
    this.#sha = createHash('sha1').update(source).digest('hex');
  }

  /** A server that was restarted, or failed over, has forgotten its scripts: the step is sent again with its source. */
  // biome-ignore lint/suspicious/noExplicitAny: each script has its own reply
  run(client: RedisClient, keys: readonly string[], args: readonly Argument[]): Promise<any> {
    return client.call('evalsha', [this.#sha, keys.length, ...keys, ...args]).catch((error: unknown) => {
      if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
      return client.call('eval', [this.#source, keys.length, ...keys, ...args]);
    });
  }
}
