import type { Soon } from '../soon.js';
import type { Busy, Claim } from './coordinator.js';
import type { Lease } from './lease.js';
import { sameTerms, type Terms } from './terms.js';

interface Asker {
  readonly terms: Terms;
  readonly claim: Claim;
  readonly answer: (answer: Lease | Busy) => void;
  readonly fail: (error: unknown) => void;
}

/** As many as one call may ask for. */
const mostAtOnce = 100;

/**
 * Tries for permits, with one question per resource in flight. Whoever comes while it is out waits and joins the next,
 * so that a burst of tasks on one resource costs two calls.
 */
export class Turnstile {
  readonly #ask: (terms: Terms, claims: readonly Claim[]) => Soon<Lease[] | Busy>;
  /** Those who wait for the question that is out to be answered, by resource. */
  readonly #waiting = new Map<string, Asker[]>();

  constructor(ask: (terms: Terms, claims: readonly Claim[]) => Soon<Lease[] | Busy>) {
    this.#ask = ask;
  }

  try(terms: Terms, claim: Claim): Soon<Lease | Busy> {
    const waiting = this.#waiting.get(terms.resource);
    if (waiting) return new Promise((answer, fail) => waiting.push({ terms, claim, answer, fail }));
    const answer = this.#ask(terms, [claim]);
    return answer instanceof Promise ? this.#first(terms.resource, answer) : one(answer);
  }

  async #first(resource: string, answer: Promise<Lease[] | Busy>): Promise<Lease | Busy> {
    this.#waiting.set(resource, []);
    try {
      return one(await answer);
    } finally {
      this.#next(resource);
    }
  }

  #next(resource: string): void {
    const waiting = this.#waiting.get(resource) ?? [];
    const [first] = waiting;
    if (!first) {
      this.#waiting.delete(resource);
      return;
    }
    const together = waiting
      .filter((asker) => asker === first || goTogether(asker, first))
      .slice(0, mostAtOnce);
    const chosen = new Set(together);
    this.#waiting.set(
      resource,
      waiting.filter((asker) => !chosen.has(asker)),
    );
    void this.#askFor(first.terms, together);
  }

  async #askFor(terms: Terms, askers: readonly Asker[]): Promise<void> {
    try {
      const claims = askers.map(({ claim }) => claim);
      const answer = await this.#ask(terms, claims);
      const refusal: Busy = Array.isArray(answer) ? { kind: 'busy', retryAfter: 0 } : answer;
      const leases = Array.isArray(answer) ? answer : [];
      for (const [i, asker] of askers.entries()) asker.answer(leases[i] ?? refusal);
    } catch (error) {
      for (const asker of askers) asker.fail(error);
    } finally {
      this.#next(terms.resource);
    }
  }
}

function one(answer: Lease[] | Busy): Lease | Busy {
  return Array.isArray(answer) ? (answer[0] as Lease) : answer;
}

/** One that was delivered before asks alone: it may be refused for a reason of its own. */
function goTogether(a: Asker, b: Asker): boolean {
  return !a.claim.redelivered && !b.claim.redelivered && sameTerms(a.terms, b.terms);
}
