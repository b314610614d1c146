import { checkObject } from '../check.js';
import { type Clock, systemClock } from '../clock.js';
import { type Duration, milliseconds } from '../duration.js';
import { Events } from '../events.js';
import type { Coordinator } from './coordinator.js';
import { Locks } from './locks.js';
import { memoryCoordinator } from './memory.js';
import { coordinatorFrom } from './open.js';
import { type ResourceOptions, Resources } from './resources.js';

export interface LocksOptions {
  /** Who keeps the limits. Default: `LOCKKEEPER_COORDINATOR`, else in process. */
  coordinator?: string | Coordinator;
  /** What is known of resources, by name or by a pattern with a trailing `*`. */
  resources?: Readonly<Record<string, ResourceOptions>>;
  /** The deadline of a call to the coordinator. Default 2 s. */
  callTimeout?: Duration;
  /** How long a body may go on after it was told to stop for `maxHold`. Default 5 s. */
  abortGrace?: Duration;
  clock?: Clock;
}

/** Limits without the runner, as `createLocks` and an app's `locks` offer them. */
export function createLocks(options: LocksOptions = {}): Locks {
  checkObject(options, 'options', ['coordinator', 'resources', 'callTimeout', 'abortGrace', 'clock']);
  const named = options.coordinator ?? (process.env.LOCKKEEPER_COORDINATOR || inProcess(options.clock));
  const opened = coordinatorFrom(named, 'coordinator');
  return new Locks({
    opened,
    resources: new Resources(options.resources ?? {}, opened.coordinator),
    clock: options.clock ?? systemClock,
    events: new Events(),
    callTimeout: milliseconds(options.callTimeout ?? 2_000, 'callTimeout'),
    abortGrace: milliseconds(options.abortGrace ?? 5_000, 'abortGrace'),
  });
}

/** Leases end by the clock that renews them. */
function inProcess(clock: Clock | undefined): string | Coordinator {
  return clock ? memoryCoordinator({ clock }) : 'memory:';
}
