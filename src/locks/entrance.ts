import type { Clock } from '../clock.js';
import type { Crowd } from '../crowd.js';
import type { Deadlines } from '../deadlines.js';
import { BusyError, CoordinatorUnavailableError, LockTimeoutError } from '../errors.js';
import type { Soon } from '../soon.js';
import type { Busy } from './coordinator.js';
import type { Lease } from './lease.js';
import { LocalLine } from './local-line.js';
import type { Party } from './party.js';
import { orOver, Patience } from './patience.js';
import type { Terms } from './terms.js';

/** What the entrance needs of its locks. */
export interface EntranceHost {
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  /** All who wait for something. */
  readonly waiting: Crowd<Patience>;
  party(terms: Terms): Party;
  newClaim(): string;
}

/**
 * The way in: a try first, which costs no place in any line when there is room, then this process's line for the resource.
 * While somebody waits there, whoever comes joins behind.
 */
export class Entrance {
  readonly #host: EntranceHost;
  readonly #lines = new Map<string, LocalLine>();
  #arrivals = 0;

  constructor(host: EntranceHost) {
    this.#host = host;
  }

  /** A lease within `wait` milliseconds. Throws what `Locks.acquire` says. */
  enter(terms: Terms, wait: number, signal: AbortSignal | undefined): Soon<Lease> {
    const mayTry = wait === 0 || !this.#lines.has(terms.resource);
    const tried = mayTry ? this.#host.party(terms).try(terms, { id: this.#host.newClaim() }) : undefined;
    if (tried && !(tried instanceof Promise) && !('kind' in tried)) return tried;
    return wait === 0 ? this.#atOnce(terms, tried, signal) : this.#inTime(terms, tried, wait, signal);
  }

  async #atOnce(
    terms: Terms,
    tried: Soon<Lease | Busy> | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Lease> {
    const { clock, waiting } = this.#host;
    const patience = new Patience(clock, { signal, among: waiting });
    try {
      const answer = await orOver(Promise.resolve(tried), patience, release);
      if (answer && !('kind' in answer)) return answer;
      throw new BusyError(terms.resource, answer?.retryAfter ?? 0);
    } finally {
      patience.end();
    }
  }

  async #inTime(
    terms: Terms,
    tried: Soon<Lease | Busy> | undefined,
    ms: number,
    signal: AbortSignal | undefined,
  ): Promise<Lease> {
    const { deadlines, waiting } = this.#host;
    const arrival = this.#arrivals++;
    let answered = false;
    const reason = () => this.#timedOut(terms, ms, answered);
    const patience = new Patience(deadlines, { signal, limit: { ms, reason }, among: waiting });
    try {
      const answer = await this.#answerOf(terms, tried, patience);
      answered = answer !== undefined;
      if (answer && !('kind' in answer) && !this.#passOn(answer, arrival)) return answer;
      if (patience.aborted) throw patience.reason;
      return await this.#line(terms).wait(terms, { id: this.#host.newClaim() }, arrival, patience);
    } finally {
      patience.end();
    }
  }

  /** Whoever may wait stays when the coordinator does not answer. */
  async #answerOf(
    terms: Terms,
    tried: Soon<Lease | Busy> | undefined,
    patience: Patience,
  ): Promise<Lease | Busy | undefined> {
    try {
      return tried && (await orOver(Promise.resolve(tried), patience, release));
    } catch (error) {
      const stays = terms.limit.onUnavailable === 'requeue' && error instanceof CoordinatorUnavailableError;
      if (!stays) throw error;
      return undefined;
    }
  }

  #timedOut(terms: Terms, ms: number, answered: boolean): Error {
    const { outage, coordinator } = this.#host.party(terms);
    if (outage) return outage;
    if (answered || this.#lines.get(terms.resource)?.answered)
      return new LockTimeoutError(terms.resource, ms);
    return new CoordinatorUnavailableError(coordinator.kind, {
      cause: new Error(`no answer within ${ms} ms`),
    });
  }

  #line(terms: Terms): LocalLine {
    const known = this.#lines.get(terms.resource);
    if (known) return known;
    const line = new LocalLine(this.#host.party(terms), () => {
      if (this.#lines.get(terms.resource) === line) this.#lines.delete(terms.resource);
    });
    this.#lines.set(terms.resource, line);
    return line;
  }

  /** Lets the next who waits here have it, or gives it back. */
  leave(lease: Lease): Promise<void> {
    return this.#passOn(lease) ? done : lease.release();
  }

  #passOn(lease: Lease, arrival?: number): boolean {
    return this.#lines.get(lease.resource)?.passOn(lease, this.#host.clock.now(), arrival) ?? false;
  }

  /** When everybody who waited has left. */
  async close(): Promise<void> {
    await Promise.all([...this.#lines.values()].map((line) => line.over));
  }
}

const done = Promise.resolve();

function release(late: Lease | Busy | undefined): void {
  if (late && !('kind' in late)) void late.release();
}
