import type { Delivery, Outcome } from '../brokers/broker.js';
import type { Lease } from '../locks/lease.js';
import type { Terms } from '../locks/terms.js';
import type { StateFacts } from './journal.js';

/** What becomes of a message. */
export interface Verdict {
  readonly outcome: Outcome;
  /** To be kept for the caller before the delivery is settled: else a crash in between would lose it. */
  readonly state?: StateFacts;
  /** The room it goes to: somebody must stand in line for it before it is parked. */
  readonly park?: Terms;
}

/** How a delivery ended, and what goes on from there. */
export interface Ended extends Verdict {
  /** Still held: to be handed on, or given back. */
  readonly leases: readonly Lease[];
  /** When the body returned, on the clock's `now`, if one ran. */
  readonly at?: number;
  /** A state that is on its way to the store: the next is kept after it. */
  readonly told?: Promise<void>;
  /** The body has not returned: its slot stays taken until it does. */
  readonly returned?: Promise<void>;
}

/** The worker stops: the message goes back as it came. */
export function putBack(delivery: Delivery, leases: readonly Lease[]): Ended {
  return { outcome: { kind: 'again', message: delivery.message, after: 0 }, leases };
}
