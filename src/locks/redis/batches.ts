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
 * Sends steps to the server, those of one turn of the event loop together, each in time.
 *
 * A hundred steps in one call cost a client a third of a hundred calls; one alone costs what it would. In a cluster only
 * the steps of one resource go together, for others may be on other nodes.
 *
 * A step whose answer does not come in time may have been taken, may be taken later, or never: all steps are safe to repeat.
 */
export class Batches {
  readonly #connection: RedisConnection;
  #batches: Batch[] = [];

  constructor(connection: RedisConnection) {
    this.#connection = connection;
  }

  /** The reply to a step. Rejects with what the client or the server says, or when `timeout` milliseconds are over. */
  // biome-ignore lint/suspicious/noExplicitAny: each script has its own replies
  run(script: Script, step: Step, timeout: number): Promise<any> {
    return new Promise((resolve, reject) => {
      const pending = { step, resolve, reject };
      const batch = this.#batches.find((other) => other.script === script && other.timeout === timeout);
      if (batch) batch.pending.push(pending);
      else this.#begin({ script, timeout, pending: [pending] });
    });
  }

  #begin(batch: Batch): void {
    // After all that the last answers have set off, and before anything else comes in.
    if (this.#batches.push(batch) === 1) process.nextTick(this.#flush);
  }

  readonly #flush = (): void => {
    const batches = this.#batches;
    this.#batches = [];
    for (const { script, timeout, pending } of batches) {
      for (const together of this.#split(pending)) void this.#send(script, timeout, together);
    }
  };

  #split(pending: Pending[]): Pending[][] {
    if (pending.length === 1) return [pending];
    const groups = this.#connection.source.cluster ? byFirstKey(pending) : [pending];
    return groups.flatMap((group) => {
      const parts: Pending[][] = [];
      for (let i = 0; i < group.length; i += mostAtOnce) parts.push(group.slice(i, i + mostAtOnce));
      return parts;
    });
  }

  async #send(script: Script, timeout: number, pending: readonly Pending[]): Promise<void> {
    try {
      const late = () => new Error(`no answer within ${timeout} ms`);
      const replies = await inTime(systemClock, this.#ask(script, timeout, pending), timeout, late);
      for (const [i, { resolve }] of pending.entries()) resolve(replies[i]);
    } catch (error) {
      if (pending.length === 1 || !mayBeOfOne(error)) for (const { reject } of pending) reject(error);
      else for (const one of pending) void this.#send(script, timeout, [one]);
    }
  }

  #ask(script: Script, timeout: number, pending: readonly Pending[]): Promise<readonly unknown[]> {
    const { client } = this.#connection;
    const ask = (ready: RedisClient) => script.run(ready, keysOf(pending), argsOf(pending));
    return client ? ask(client) : this.#connection.ready(timeout).then(ask);
  }
}

function keysOf(pending: readonly Pending[]): readonly string[] {
  const [first] = pending;
  return pending.length === 1 && first ? first.step.keys : pending.flatMap(({ step }) => step.keys);
}

function argsOf(pending: readonly Pending[]): Step['args'] {
  const [first] = pending;
  return pending.length === 1 && first ? first.step.args : pending.flatMap(({ step }) => step.args);
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
