import type { Busy, Claim } from './coordinator.js';
import type { Lease } from './lease.js';
import type { Terms } from './terms.js';

interface Asker {
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
  readonly #ask: (terms: Terms, claims: readonly Claim[]) => Promise<Lease[] | Busy>;
  readonly #open = new Map<string, { terms: Terms; askers: Asker[] }>();

  constructor(ask: (terms: Terms, claims: readonly Claim[]) => Promise<Lease[] | Busy>) {
    this.#ask = ask;
  }

  async try(terms: Terms, claim: Claim): Promise<Lease | Busy> {
    const open = this.#open.get(terms.resource);
    if (open && sameTerms(open.terms, terms) && !claim.redelivered) {
      return new Promise((answer, fail) => open.askers.push({ claim, answer, fail }));
    }
    if (open) return one(await this.#ask(terms, [claim]));
    this.#open.set(terms.resource, { terms, askers: [] });
    try {
      return one(await this.#ask(terms, [claim]));
    } finally {
      this.#next(terms);
    }
  }

  #next(terms: Terms): void {
    const askers = this.#open.get(terms.resource)?.askers ?? [];
    if (askers.length === 0) this.#open.delete(terms.resource);
    else void this.#askFor(terms, askers.splice(0, mostAtOnce));
  }

  async #askFor(terms: Terms, askers: readonly Asker[]): Promise<void> {
    try {
      const answer = await this.#ask(terms, askers.map(({ claim }) => claim));
      const refusal: Busy = Array.isArray(answer) ? { kind: 'busy', retryAfter: 0 } : answer;
      askers.forEach((asker, i) => asker.answer((Array.isArray(answer) && answer[i]) || refusal));
    } catch (error) {
      for (const asker of askers) asker.fail(error);
    } finally {
      this.#next(terms);
    }
  }
}

function one(answer: Lease[] | Busy): Lease | Busy {
  return Array.isArray(answer) ? (answer[0] as Lease) : answer;
}

function sameTerms(a: Terms, b: Terms): boolean {
  return a.weight === b.weight && a.capacity === b.capacity && a.lease === b.lease && a.layout === b.layout;
}
