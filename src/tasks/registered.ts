import { createLocks } from '../locks/create-locks.js';
import type { Locks } from '../locks/locks.js';

const owners = new WeakMap<object, Locks>();
let ofProcess: Locks | undefined;

/** From now on, direct calls of the instance's methods are held to the limits of its app. */
export function belongsTo(instance: object, locks: Locks): void {
  owners.set(instance, locks);
}

/**
 * Who limits a direct call: the app that the object is registered with; without one, `LOCKKEEPER_COORDINATOR`, else this
 * process.
 */
export function locksFor(self: unknown): Locks {
  const own = typeof self === 'object' && self !== null ? owners.get(self) : undefined;
  if (own) return own;
  ofProcess ??= createLocks();
  return ofProcess;
}
