import { createHash } from 'node:crypto';
import { type RedisClient, runScript } from './client.js';
import { isForgotten, type OnReply, type ScriptWords } from './script-call.js';

/**
 * A script for what is most common: the same arguments, but only so many of the keys of each step. Where that is not
 * enough it changes nothing and answers nothing, and `whole` is to be run.
 */
export interface Quick {
  readonly keys: number;
  readonly whole: Script;
}

/** A Lua script: one atomic step on the server. It is named by its digest, and sent whole when the server lacks it. */
export class Script {
  readonly quick: Quick | undefined;
  /** What its calls begin with. */
  readonly sha: string;
  readonly #source: string;

  constructor(source: string, quick?: Quick) {
    this.quick = quick;
    this.#source = source;
    this.sha = createHash('sha1').update(source).digest('hex');
  }

  /** `onReply` is told of the reply before anybody who waits for it, by a client that can; by others not at all. */
  // biome-ignore lint/suspicious/noExplicitAny: each script has its own reply
  run(client: RedisClient, keys: readonly string[], args: ScriptWords, onReply?: OnReply): Promise<any> {
    return this.call(client, [this.sha, keys.length, ...keys, ...args], onReply);
  }

  /**
   * The same with all in one row: the digest, how many keys there are, the keys, the arguments. A server that was
   * restarted, or failed over, has forgotten its scripts: the step is sent again with its source.
   */
  // biome-ignore lint/suspicious/noExplicitAny: as above
  call(client: RedisClient, words: (string | number)[], onReply?: OnReply): Promise<any> {
    const sendWhole = () => client.call('eval', [this.#source, ...words.slice(1)]);
    return (
      client[runScript]?.(words, sendWhole, onReply) ??
      client.call('evalsha', words).catch((error: unknown) => {
        if (isForgotten(error)) return sendWhole();
        throw error;
      })
    );
  }
}
