import { guidOf } from './contenders.js';
import type { Facts } from './facts.js';
import type { Layout } from './layout.js';
import type { Paths } from './paths.js';
import type { Run } from './runs.js';
import type { Session } from './session.js';

/**
 * A claim of this side, and what it has in ZooKeeper.
 *
 * It is remembered from before its first node is asked for until all of them are known to be gone: so nothing is left
 * behind in a session that lives on, whatever answer is lost.
 */
export class OwnClaim {
  readonly key: string;
  readonly guid: string;
  readonly layout: Layout;
  readonly paths: Paths;
  readonly session: Session;
  facts: Facts;
  state: 'asked' | 'place' | 'permit' | 'leaving' = 'asked';
  /** Paths of what it has: contenders of a lock, one contender in the queue of a semaphore, or leases. */
  nodes: readonly string[] = [];
  /** An answer was lost: there may be more of its nodes. */
  doubtful = false;
  token: bigint | undefined;
  /** Its node was the only one there was, after so many of this side that were too. */
  run: Run | undefined;
  /** Of a place: claims ahead when the line was last read, and the path of the one just ahead. */
  ahead = 0;
  behind: string | undefined;
  /** How often the data of its first node was set, as far as is known: it was by somebody else if it is more. */
  version = 0;
  /** On `performance.now`: it lapses then unless it is asked for or renewed. */
  until: number;
  /** Paths that are watched for it, once there were any. */
  watching: Set<string> | undefined;

  constructor(of: {
    key: string;
    layout: Layout;
    paths: Paths;
    session: Session;
    facts: Facts;
    until: number;
  }) {
    this.key = of.key;
    this.guid = guidOf(of.facts.id);
    this.layout = of.layout;
    this.paths = of.paths;
    this.session = of.session;
    this.facts = of.facts;
    this.until = of.until;
  }
}

/** Who a claim is, among those of all resources. */
export function keyOf({ resource, id }: { readonly resource: string; readonly id: string }): string {
  return `${id.length} ${id}${resource}`;
}
