import type { LossCause } from '../errors.js';

/** What happens to permits. All times are in milliseconds. */
export interface LockEvents {
  'permit.granted': { resource: string; id: string; weight: number };
  /** `held` is the time since it was granted: it may have served several runs. */
  'permit.released': { resource: string; id: string; weight: number; held: number };
  /** A direct call has it, after it `waited`: `acquire`, `using`, `tryAcquire`, or a task that is called as a function. */
  'permit.acquired': { resource: string; id: string; weight: number; waited: number };
  /** Two thirds of the lease have passed without an acknowledged renewal. */
  'permit.atRisk': { resource: string; id: string; left: number };
  'permit.lost': { resource: string; id: string; cause: LossCause };
  /** A body did not stop within `abortGrace` of its `maxHold`, and its permit was taken: it may overlap the next holder. */
  'permit.abandoned': { resource: string; id: string };
  'permit.renewFailed': { resource: string; id: string; error: unknown };
  /** A permit could not be given back; it comes free when its lease ends. */
  'permit.releaseFailed': { resource: string; error: unknown };
  /** Somebody declares another capacity for this resource. Told once a resource and process. */
  'capacity.mismatch': { resource: string; declared: number; alsoDeclared: number };
  /** Somebody in this process changed what counts for everybody. */
  'resource.changed': { resource: string; change: ResourceChange; reason: string | undefined };
  'coordinator.unavailable': { coordinator: string; error: unknown };
  'coordinator.available': { coordinator: string };
}

export type ResourceChange =
  /** Absent: the capacity that is declared counts again. */
  | { readonly kind: 'capacity'; readonly capacity: number | undefined; readonly expiresIn?: number }
  | { readonly kind: 'pause'; readonly duration: number }
  | { readonly kind: 'resume' }
  /** A permit or a place was taken away. */
  | { readonly kind: 'evict'; readonly id: string };
