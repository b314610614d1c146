import type { Consumer, Delivery } from '../brokers/broker.js';
import type { Lease } from '../locks/lease.js';
import { chain, hasTurns, isWithinBounds } from '../locks/local-line.js';
import type { Locks } from '../locks/locks.js';
import { sameTerms, type Terms } from '../locks/terms.js';
import type { Doormen } from './doormen.js';

/** What the spare permits need to know of their worker. */
export interface SparesHost {
  readonly locks: Locks;
  readonly consumer: Pick<Consumer, 'more' | 'expecting'>;
  readonly doormen: Pick<Doormen, 'standsFor'>;
  /** Aborts when the worker leaves the lines. */
  readonly leaving: AbortSignal;
}

/** Between two looks at what nobody needed while messages are on their way, in milliseconds. */
const underWay = 2;

/**
 * Permits whose runs have ended, for messages that this worker is about to be handed. The next one that asks for the same
 * has it without a question to the coordinator, so a lock that nobody else wants costs next to nothing.
 *
 * It is a hand-off without a room, under the same bounds: a grant serves 32 messages, none of them when the body before
 * returned after 200 ms (that there are more messages than slots is why it is kept). Nobody is let past those who are known
 * here to be ahead: none is kept, and none is taken, where a room of the resource has messages, or somebody of this side
 * stands in line. Those elsewhere wait for the bound, as they do for a chain.
 *
 * No permit idles here while a body has the event loop: a message that starts and wants something else gives back what is
 * kept, and what nobody has taken at two looks is given back too: in the next turns of the loop, or a few milliseconds later
 * when messages are not at hand but on their way. All is given back when there turn out to be none. If the process dies,
 * the leases end.
 *
 * A message that comes back after a loss asks the coordinator, which knows of its earlier run; so it takes none of these.
 */
export class Spares {
  readonly #host: SparesHost;
  /** All on the same terms. */
  readonly #leases: Lease[] = [];
  /** So many of them, the first ones, were there at the last look and have not been needed since. */
  #unneeded = 0;
  #watching = false;

  constructor(host: SparesHost) {
    this.#host = host;
  }

  /**
   * Keeps the permit of a run that ended at `now`, if it may go on and somebody may have a use for it. Whether it is held
   * still is asked when the next body starts.
   */
  keep(lease: Lease, now = this.#host.locks.clock.now()): boolean {
    const { consumer, leaving } = this.#host;
    if (!(consumer.more || consumer.expecting) || leaving.aborted) return false;
    if (this.#othersAhead(lease.terms)) return false;
    if (!isWithinBounds(lease, now, chain.ageWithoutSlot)) return false;
    const [kept] = this.#leases;
    if (kept && !isFor(kept, lease.terms)) this.giveBack();
    this.#leases.push(lease);
    if (!this.#watching) this.#watch();
    return true;
  }

  /** A permit for a message that starts now, on these terms. If there is none for it, all are given back. */
  take(terms: Terms, { message, losses }: Delivery): Lease | undefined {
    const [kept] = this.#leases;
    if (!kept) return undefined;
    if (losses === 0 && isFor(kept, terms) && !this.#othersAhead(terms)) {
      const lease = this.#next();
      if (!lease) return undefined;
      lease.turns++;
      lease.serves = message;
      return lease;
    }
    this.giveBack();
    return undefined;
  }

  /** The one kept last, of those that may still go on. */
  #next(): Lease | undefined {
    for (let lease = this.#leases.pop(); lease; lease = this.#leases.pop()) {
      if (this.#unneeded > this.#leases.length) this.#unneeded = this.#leases.length;
      if (hasTurns(lease)) return lease;
      void lease.release();
    }
    return undefined;
  }

  giveBack(many = this.#leases.length): void {
    if (many === 0) return;
    for (const lease of this.#leases.splice(0, many)) void lease.release();
    this.#unneeded = 0;
  }

  #othersAhead({ resource, coordinator }: Terms): boolean {
    const { doormen, locks } = this.#host;
    return doormen.standsFor(resource) || locks.party({ coordinator }).standsFor(resource);
  }

  #watch(): void {
    const { consumer, locks } = this.#host;
    this.#watching = true;
    if (consumer.more || !consumer.expecting) setImmediate(this.#look);
    else locks.clock.after(underWay, this.#look);
  }

  readonly #look = (): void => {
    this.giveBack(this.#unneeded);
    this.#unneeded = this.#leases.length;
    this.#watching = false;
    if (this.#unneeded > 0) this.#watch();
  };
}

function isFor(lease: Lease, terms: Terms): boolean {
  if (lease.terms === terms) return true;
  return lease.resource === terms.resource && sameTerms(lease.terms, terms);
}
