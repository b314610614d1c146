import type { LossCause } from '../errors.js';

/** What happens to permits. All times are in milliseconds. */
export interface LockEvents {
  'permit.granted': { resource: string; id: string; weight: number };
  'permit.released': { resource: string; id: string; weight: number };
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
  'coordinator.unavailable': { coordinator: string; error: unknown };
  'coordinator.available': { coordinator: string };
}
