import { AsyncLocalStorage } from 'node:async_hooks';
import type { Permit } from './permit.js';

/** What the code that runs now is inside of: a run of a task, or the body of `using`. */
export interface Scope {
  readonly permits: readonly Permit[];
  /** Inside a run of a worker another limit is only tried, unless the call says how long it may wait. */
  readonly inRun: boolean;
  /** What the runner keeps here about the run. */
  readonly task?: object;
}

export const scope = new AsyncLocalStorage<Scope>();

/** The permit of this resource that the running code holds, heavy enough to be entered again. */
export function heldInScope(resource: string, weight: number): Permit | undefined {
  return scope.getStore()?.permits.find((permit) => permit.resource === resource && permit.weight >= weight);
}
