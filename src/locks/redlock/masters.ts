import type Redlock from 'redlock';
import type { ExecutionError, Lock, RedlockClient, Votes } from 'redlock';
import { ClosedError, ConfigError, CoordinatorUnavailableError } from '../../errors.js';
import { isMisconfiguration } from '../../redis/client.js';
import type { RedisSource } from '../../redis/open.js';
import { Master } from './master.js';
import { acquireScript, extendScript, releaseScript } from './scripts.js';

type Library = typeof import('redlock');

/**
 * How a vote went: most masters said yes, or most said no; or it is open, for those that did not answer would decide it.
 * `votes`: how many said yes, of those that answered before it was decided.
 */
export interface Verdict {
  readonly kind: 'passed' | 'refused' | 'open';
  readonly votes: number;
}

/** Its own attempts again keep partial votes, and its clock begins before the first of them: see `enter` of the coordinator. */
const once = { retryCount: 0 } as const;

/**
 * Independent masters that decide by majority, by way of the package `redlock`: one attempt of it at a time. Its retries,
 * timers and `using` are not used: a lock that it has waited for has lost that time of its life already, one that it
 * returns may be over, and votes that it keeps while it waits make others wait for nothing.
 */
export class Masters {
  readonly quorum: number;
  readonly #masters: readonly Master[];
  readonly #pausePrefix: string;
  /** By patience: a call of redlock cannot be told how long to wait for a master. */
  readonly #redlocks = new Map<number, Redlock>();
  #library: Promise<Library> | undefined;
  #closed = false;

  constructor(sources: readonly RedisSource[], pausePrefix: string) {
    this.#masters = sources.map((source) => new Master(source));
    this.#pausePrefix = pausePrefix;
    this.quorum = Math.floor(sources.length / 2) + 1;
  }

  /** Whether the claim has the key on most masters now. If not, it has it on none. */
  async acquire(name: string, value: string, lease: number, patience: number): Promise<Verdict> {
    const library = await this.#load();
    const redlock = this.#redlock(library, patience);
    const sentAt = performance.now();
    // The value of its next lock, which it asks for before it does anything else.
    redlock._random = () => value;
    const acquired = redlock.acquire([name], lease, once).then((lock) => ({ attempts: lock.attempts, lock }));
    const verdict = await this.#verdict(library, acquired);
    if (verdict.kind === 'passed' && isOver(await acquired, sentAt, lease)) {
      await this.release(name, value, patience);
      throw this.#unavailable([new Error(`the lease was over when most had granted it, after ${lease} ms`)]);
    }
    return verdict;
  }

  /** Whether the claim still had the key on most masters, and has it for so much longer. */
  async extend(name: string, value: string, lease: number, patience: number): Promise<Verdict> {
    const library = await this.#load();
    const redlock = this.#redlock(library, patience);
    return await this.#verdict(library, redlock.extend(lockOf(library, redlock, name, value), lease, once));
  }

  /** Whether most masters had the key of the claim, and have it no more. */
  async release(name: string, value: string, patience: number): Promise<Verdict> {
    const library = await this.#load();
    const redlock = this.#redlock(library, patience);
    return await this.#verdict(library, redlock.release(lockOf(library, redlock, name, value), once));
  }

  /** What each master answers; rejects unless most of them do. */
  async ask(
    commands: readonly (readonly [string, ...(string | number)[]])[],
    patience: number,
  ): Promise<unknown[][]> {
    this.mustBeOpen();
    const answers = await Promise.allSettled(
      this.#masters.map((master) =>
        Promise.all(commands.map(([command, ...args]) => master.call(command, args, patience))),
      ),
    );
    const replies = answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []));
    const errors = answers.flatMap((answer) => (answer.status === 'rejected' ? [answer.reason] : []));
    if (replies.length < this.quorum) throw this.#unavailable(errors);
    return replies;
  }

  /** Rejects when most masters did not answer. */
  async #verdict(
    { ExecutionError: Failed, ResourceLockedError: Refused }: Library,
    executed: Promise<{ readonly attempts: readonly Promise<Votes>[] }>,
  ): Promise<Verdict> {
    try {
      await executed;
      return { kind: 'passed', votes: this.quorum };
    } catch (error) {
      if (!(error instanceof Failed)) throw error;
      const last = await (error as ExecutionError).attempts.at(-1);
      const against = [...(last?.votesAgainst.values() ?? [])];
      const errors = against.filter((reason) => !(reason instanceof Refused));
      if (errors.length >= this.quorum) throw this.#unavailable(errors);
      const refused = against.length - errors.length >= this.quorum;
      return { kind: refused ? 'refused' : 'open', votes: last?.votesFor.size ?? 0 };
    }
  }

  #redlock({ default: Redlock }: Library, patience: number): Redlock {
    const known = this.#redlocks.get(patience);
    if (known) return known;
    const clients = this.#masters.map(
      (master): RedlockClient => ({
        evalsha: (hash, keys, args) => master.call('evalsha', [hash, keys, ...args], patience),
        eval: (script, keys, args) => master.call('eval', [script, keys, ...args], patience),
      }),
    );
    const redlock = new Redlock(clients, once, {
      acquireScript: () => acquireScript(this.#pausePrefix),
      extendScript: () => extendScript,
      releaseScript: () => releaseScript,
    });
    this.#redlocks.set(patience, redlock);
    return redlock;
  }

  async #load(): Promise<Library> {
    this.mustBeOpen();
    this.#library ??= load();
    return await this.#library;
  }

  #unavailable(errors: readonly unknown[]): Error {
    if (this.#closed) return closed();
    const wrong = errors.find(isMisconfiguration) as Error | undefined;
    if (wrong) return new ConfigError(`A master refuses: ${wrong.message}`, { cause: wrong });
    const texts = new Set(errors.map((error) => (error as Error).message));
    const cause = new AggregateError(errors, `most masters did not answer (${[...texts].join('; ')})`);
    return new CoordinatorUnavailableError('redlock', { cause });
  }

  mustBeOpen(): void {
    if (this.#closed) throw closed();
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#masters.map((master) => master.close()));
  }
}

/** Made from what is known of it, so that any side may ask about a claim. Its life is the masters' to judge. */
function lockOf({ Lock: Made }: Library, redlock: Redlock, name: string, value: string): Lock {
  return new Made(redlock, [name], value, [], Number.POSITIVE_INFINITY);
}

/** `redlock` returns locks whose life is over: it looks at the clock before it asks, and not after. */
function isOver({ lock }: { readonly lock: Lock }, sentAt: number, lease: number): boolean {
  return lock.expiration <= Date.now() || performance.now() - sentAt >= lease - drift(lease);
}

/** How far the clocks of masters may be apart in a lease, as `redlock` has it. */
function drift(lease: number): number {
  return Math.round(0.01 * lease) + 2;
}

const closed = () => new ClosedError('The redlock coordinator');

async function load(): Promise<Library> {
  try {
    return await import('redlock');
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new ConfigError('Redlock needs the package `redlock`: npm install redlock@5.0.0-beta.2', {
      cause: error,
    });
  }
}
