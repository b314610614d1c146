import { systemClock } from '../../clock.js';
import { Deadlines } from '../../deadlines.js';
import type { RedisClient } from '../../redis/client.js';
import type { RedisConnection } from '../../redis/connection.js';
import type { Script } from '../../redis/script.js';

type Argument = string | number;

/** A script's step for one resource. */
export interface Step {
  readonly resource: string;
  readonly keys: readonly string[];
  readonly args: readonly Argument[];
  /** What it says for all steps of its call, before them: those that say the same go together. */
  readonly common?: readonly Argument[];
}

interface Pending {
  readonly step: Step;
  // biome-ignore lint/suspicious/noExplicitAny: each script has its own replies
  readonly resolve: (reply: any) => void;
  readonly reject: (error: unknown) => void;
}

/** What the answers mean to whoever asked. */
export interface Reader {
  /** Why a reply is none. */
  refusal(step: Step, reply: unknown): Error | undefined;
  /** An error, in the words of the contract. */
  told(step: Step, error: unknown): Error;
}

/** What is asked together: the same script, with the same deadline. */
interface Batch {
  readonly script: Script;
  /** Milliseconds. */
  readonly timeout: number;
  readonly common: readonly Argument[];
  /** In a cluster: others may be on other nodes. */
  readonly resource: string | undefined;
  readonly pending: Pending[];
}

/** More go in several calls: while the server is at one of them, this side is at the answers to another. */
const mostAtOnce = 32;

const nothing: readonly Argument[] = [];

/**
 * Sends steps to the server, each in time. While nothing is on its way a step goes at once, so what else its caller has to
 * do is done while the server is at it. Otherwise those of one turn of the event loop go together, when all that has set
 * them off is done, and before anything else comes in: a hundred steps in a few calls cost a client a fifth of a hundred
 * calls. In a cluster only the steps of one resource go together.
 *
 * A step whose answer does not come in time may have been taken, may be taken later, or never: all steps are safe to repeat.
 */
export class Batches {
  readonly #connection: RedisConnection;
  readonly #reader: Reader;
  readonly #deadlines = new Deadlines(systemClock);
  #batches: Batch[] = [];
  /** Calls that are on their way, or wait for a connection. */
  #out = 0;

  constructor(connection: RedisConnection, reader: Reader) {
    this.#connection = connection;
    this.#reader = reader;
  }

  /** The reply to a step. Rejects with what the reader says, also when `timeout` milliseconds are over. */
  // biome-ignore lint/suspicious/noExplicitAny: each script has its own replies
  run(script: Script, step: Step, timeout: number): Promise<any> {
    return new Promise((resolve, reject) => {
      const pending = { step, resolve, reject };
      if (this.#out > 0 || this.#batches.length > 0) this.#keep(script, timeout, pending);
      else void this.#send(this.#batchOf(script, timeout, pending));
    });
  }

  #keep(script: Script, timeout: number, one: Pending): void {
    if (this.#batches.length === 0) process.nextTick(this.#endTurn);
    const { common = nothing } = one.step;
    const only = this.#only(one.step);
    for (const batch of this.#batches) {
      const goesAlong = batch.script === script && batch.timeout === timeout && batch.resource === only;
      if (goesAlong && batch.pending.length < mostAtOnce && isSame(batch.common, common)) {
        batch.pending.push(one);
        return;
      }
    }
    this.#batches.push(this.#batchOf(script, timeout, one));
  }

  #batchOf(script: Script, timeout: number, one: Pending): Batch {
    const { step } = one;
    return { script, timeout, common: step.common ?? nothing, resource: this.#only(step), pending: [one] };
  }

  #only({ resource }: Step): string | undefined {
    return this.#connection.source.cluster ? resource : undefined;
  }

  readonly #endTurn = (): void => {
    const batches = this.#batches;
    this.#batches = [];
    for (const batch of batches) void this.#send(batch);
  };

  async #send(batch: Batch): Promise<void> {
    const { timeout } = batch;
    this.#out++;
    let asked: Batch | undefined = batch;
    const late = () => this.#failed(asked ?? batch, new Error(`no answer within ${timeout} ms`));
    const inTime = this.#deadlines.after(timeout, late);
    try {
      const client = this.#connection.client ?? (await this.#connection.ready(timeout));
      while (asked) asked = this.#answered(asked, await ask(client, asked));
    } catch (error) {
      this.#failed(asked ?? batch, error);
    } finally {
      this.#out--;
      inTime();
    }
  }

  /** What is left is for the whole script. */
  // biome-ignore lint/suspicious/noExplicitAny: each script has its own replies
  #answered(batch: Batch, reply: any): Batch | undefined {
    const { pending, script } = batch;
    let left: Pending[] | undefined;
    for (let i = 0; i < pending.length; i++) {
      const one = pending[i] as Pending;
      const own: unknown = pending.length === 1 ? reply : reply[i];
      if (own !== null || !script.quick) this.#settle(one, own);
      else if (left) left.push(one);
      else left = [one];
    }
    return left && script.quick && { ...batch, script: script.quick.whole, pending: left };
  }

  #settle({ step, resolve, reject }: Pending, reply: unknown): void {
    const refusal = this.#reader.refusal(step, reply);
    if (refusal) reject(refusal);
    else resolve(reply);
  }

  #failed(batch: Batch, error: unknown): void {
    const { pending } = batch;
    if (pending.length === 1 || !mayBeOfOne(error)) {
      for (const { step, reject } of pending) reject(this.#reader.told(step, error));
    } else for (const one of pending) void this.#send({ ...batch, pending: [one] });
  }
}

/** The replies; of a step that is asked alone, its own. */
// biome-ignore lint/suspicious/noExplicitAny: each script has its own replies
function ask(client: RedisClient, { script, common, pending }: Batch): Promise<any> {
  const words: Argument[] = [script.sha, 0];
  for (const { step } of pending) {
    const count = script.quick?.keys ?? step.keys.length;
    for (let i = 0; i < count; i++) words.push(step.keys[i] as string);
  }
  words[1] = words.length - 2;
  words.push(...common);
  for (const { step } of pending) words.push(...step.args);
  return script.call(client, words);
}

function isSame(a: readonly Argument[], b: readonly Argument[]): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** An error of the script itself may be the fault of one resource, and the others are not to suffer from it. */
function mayBeOfOne(error: unknown): boolean {
  return error instanceof Error && /^(?:ERR|WRONGTYPE|CROSSSLOT)/.test(error.message);
}
