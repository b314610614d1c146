import type { Duration } from '../duration.js';
import { ConfigError } from '../errors.js';
import { type Key, type Limit, type OnBusy, type OnLost, type OnUnavailable, permitLimit } from '../locks/limit.js';
import type { TaskOptions } from './options.js';

/**
 * A task as a class, with a limit in its fields. Each run has a fresh instance, so runs share no fields.
 *
 *     class ImportData extends LockedTask {
 *       static readonly taskName = 'import-data';
 *       lockName = 'import-data';
 *       async lockedRun(url: string) { … }
 *     }
 *     const importData = app.register(ImportData);
 */
export abstract class LockedTask {
  /** Default: the name of the class. */
  static readonly taskName?: string;
  /** Queue, retries and the rest, as for a task made of a function. */
  static readonly options?: TaskOptions;

  /** The resource, or a function of the arguments that names it; `null` is not limited. */
  abstract lockName: Key;
  /** Permits there are. Default: what `resources` says, else 1. */
  capacity?: number;
  /** Permits a run takes. Default 1. */
  // biome-ignore lint/suspicious/noExplicitAny: the arguments are those of the subclass's lockedRun
  weight?: number | ((...args: any[]) => number);
  /** The longest that waiting messages may stand untended by any worker. Default 5 s. */
  countdown?: Duration;
  /** When busy, go back to the queue (default), or else do not run at all. */
  retryOnLock = true;
  /** More choices than `retryOnLock` has. */
  onBusy?: OnBusy;
  maxWait?: Duration;
  waitTimeout?: Duration;
  onUnavailable?: OnUnavailable;
  lease?: Duration;
  maxHold?: Duration | false;
  onLost?: OnLost;

  /** The work. Its arguments and result are the task's. */
  // biome-ignore lint/suspicious/noExplicitAny: a subclass says what they are
  abstract lockedRun(...args: any[]): any;
}

export type LockedTaskClass<T extends LockedTask = LockedTask> = (new () => T) & {
  readonly taskName?: string;
  readonly options?: TaskOptions;
};

export function isLockedTaskClass(value: unknown): value is LockedTaskClass {
  return typeof value === 'function' && value.prototype instanceof LockedTask;
}

/** The limit in the fields of an instance. */
export function limitOf(task: LockedTask, name: string): Limit {
  if (task.lockName === undefined) throw new ConfigError(`The LockedTask "${name}" has no \`lockName\``);
  const { weight, countdown, maxWait, waitTimeout, onUnavailable, lease, maxHold, onLost } = task;
  const onBusy = task.onBusy ?? (task.retryOnLock ? 'requeue' : 'skip');
  const key = typeof task.lockName === 'function' ? task.lockName.bind(task) : task.lockName;
  return permitLimit(key, task.capacity, {
    weight,
    countdown,
    maxWait,
    waitTimeout,
    onUnavailable,
    lease,
    maxHold,
    onLost,
    onBusy,
  });
}
