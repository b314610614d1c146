import { systemClock } from '../../clock.js';
import { inTime } from '../../in-time.js';
import type { RedisClient } from '../../redis/client.js';
import type { RedisConnection } from '../../redis/connection.js';
import type { Script } from '../../redis/script.js';

/** A script's step for one resource. */
export interface Step {
  readonly keys: readonly string[];
  readonly args: readonly (string | number)[];
}

interface Pending {
  readonly step: Step;
  // biome-ignore lint/suspicious/noExplicitAny: each script has its own replies
  readonly resolve: (reply: any) => void;
  readonly reject: (error: unknown) => void;
}

/** What is asked together: the same script, with the same deadline. */
interface Batch {
  readonly script: Script;
  /** Milliseconds. */
  readonly timeout: number;
  readonly pending: Pending[];
}

/** More go in several calls: while the server is at one of them, this side is at the answers to another. */
const mostAtOnce = 32;

/**
 * Sends steps to the server, each in time: the first of a turn of the event loop at once, and those that follow it in the
 * same turn together. A hundred steps in a few calls cost a client a third of a hundred calls. In a cluster only the steps
 * of one resource go together, for others may be on other nodes.
 *
 * A step whose answer does not come in time may have been taken, may be taken later, or never: all steps are safe to repeat.
 */
export class Batches {
  readonly #connection: RedisConnection;
  /** What follows in this turn, once it has begun. */
  #followers: Batch[] | undefined;

  constructor(connection: RedisConnection) {
    this.#connection = connection;
  }

  /** The reply to a step. Rejects with what the client or the server says, or when `timeout` milliseconds are over. */
  // biome-ignore lint/suspicious/noExplicitAny: each script has its own replies
  run(script: Script, step: Step, timeout: number): Promise<any> {
    if (this.#followers) return this.#follow(this.#followers, script, step, timeout);
    this.#followers = [];
    process.nextTick(this.#endTurn);
    return this.#ask(script, step, timeout).then(([reply]) => reply);
  }

  #follow(batches: Batch[], script: Script, step: Step, timeout: number): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const pending = { step, resolve, reject };
      const batch = batches.find((other) => other.script === script && other.timeout === timeout);
      if (batch) batch.pending.push(pending);
      else batches.push({ script, timeout, pending: [pending] });
    });
  }

  /** When all that the last answers have set off is done, and before anything else comes in. */
  readonly #endTurn = (): void => {
    const batches = this.#followers ?? [];
    this.#followers = undefined;
    for (const { script, timeout, pending } of batches) {
      for (const together of this.#split(pending)) void this.#send(script, timeout, together);
    }
  };

  #split(pending: Pending[]): Pending[][] {
    const groups = this.#connection.source.cluster ? byFirstKey(pending) : [pending];
    return groups.flatMap((group) => {
      const parts: Pending[][] = [];
      for (let i = 0; i < group.length; i += mostAtOnce) parts.push(group.slice(i, i + mostAtOnce));
      return parts;
    });
  }

  async #send(script: Script, timeout: number, pending: readonly Pending[]): Promise<void> {
    const keys = pending.flatMap(({ step }) => step.keys);
    const args = pending.flatMap(({ step }) => step.args);
    try {
      const replies = await this.#ask(script, { keys, args }, timeout);
      for (const [i, { resolve }] of pending.entries()) resolve(replies[i]);
    } catch (error) {
      if (pending.length === 1 || !mayBeOfOne(error)) for (const { reject } of pending) reject(error);
      else for (const one of pending) void this.#send(script, timeout, [one]);
    }
  }

  #ask(script: Script, { keys, args }: Step, timeout: number): Promise<readonly unknown[]> {
    const { client } = this.#connection;
    const ask = (ready: RedisClient): Promise<readonly unknown[]> => script.run(ready, keys, args);
    const answer = client ? ask(client) : this.#connection.ready(timeout).then(ask);
    return inTime(systemClock, answer, timeout, () => new Error(`no answer within ${timeout} ms`));
  }
}

function byFirstKey(pending: readonly Pending[]): Pending[][] {
  const groups = new Map<string | undefined, Pending[]>();
  for (const one of pending) {
    const [key] = one.step.keys;
    const group = groups.get(key);
    if (group) group.push(one);
    else groups.set(key, [one]);
  }
  return [...groups.values()];
}

/** An error of the script itself may be the fault of one resource, and the others are not to suffer from it. */
function mayBeOfOne(error: unknown): boolean {
  return error instanceof Error && /^(?:ERR|WRONGTYPE|CROSSSLOT)/.test(error.message);
}
