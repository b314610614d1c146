import { AsyncLocalStorage } from 'node:async_hooks';
import { type Permit, PermitHandle } from './permit.js';
import type { Terms } from './terms.js';

/** What the code that runs now is inside of: a run of a task, or the body of `using`. */
export interface Scope {
  readonly permits: readonly Permit[];
  /** Inside a run of a worker another limit is only tried, unless the call says how long it may wait. */
  readonly inRun: boolean;
  /** What the runner keeps here about the run. */
  readonly task?: object;
}

export const scope = new AsyncLocalStorage<Scope>();

/** To run code inside of nothing. `scope.exit` does the same, and costs more: it takes all hooks down and sets them up again. */
export const noScope = undefined as unknown as Scope;

/**
 * The permit of this resource that the running code holds, heavy enough to be entered again. Held it must be: code that
 * was started in a body may go on when the body is over.
 */
export function heldInScope({ coordinator, resource, weight }: Terms): Permit | undefined {
  const permits = scope.getStore()?.permits;
  return permits?.find(
    (permit) =>
      permit instanceof PermitHandle &&
      permit.resource === resource &&
      permit.coordinator === coordinator &&
      permit.weight >= weight &&
      permit.held,
  );
}
