import type { RedisClient } from '../../../redis/client.js';
import { Script } from '../../../redis/script.js';
import type { OnReply } from '../../../redis/script-call.js';
import { type Keys, keyNames } from '../layout.js';

/** A reply of a script. */
// biome-ignore lint/suspicious/noExplicitAny: each script has its own
export type Reply = any[];

/**
 * Parts that most calls of a script do without: they are made when they are asked for, since to make the functions of all
 * parts takes longer than the commands of an ordinary call. `rest()` in the script gives those that are named.
 */
export function seldom(names: readonly string[], ...parts: readonly string[]): string {
  return `
local made
local function rest()
  if made then return made end
  ${parts.join('\n')}
  made = { ${names.map((name) => `${name} = ${name}`).join(', ')} }
  return made
end`;
}

/** A script over the keys of a queue, of which it declares those that it names. */
export class Step {
  readonly #keys: readonly (keyof Keys)[];
  readonly #alone: Script;
  readonly #clustered: Script;

  constructor(...parts: readonly string[]) {
    const source = parts.join('\n');
    this.#keys = keyNames.filter((key) => new RegExp(`\\b${key}\\b`).test(source));
    const locals = `local ${this.#keys.join(', ')} = ${this.#keys.map((_, i) => `KEYS[${i + 1}]`).join(', ')}`;
    this.#alone = new Script(['local cluster = false', locals, source].join('\n'));
    this.#clustered = new Script(['local cluster = true', locals, source].join('\n'));
  }

  /** `onReply`: as of `Script.run`. */
  run(
    client: RedisClient,
    keys: Keys,
    args: readonly (string | number)[],
    { cluster, onReply }: { cluster: boolean; onReply?: OnReply | undefined },
  ): Promise<Reply> {
    const script = cluster ? this.#clustered : this.#alone;
    return script.run(
      client,
      this.#keys.map((key) => keys[key]),
      args,
      onReply,
    );
  }
}
