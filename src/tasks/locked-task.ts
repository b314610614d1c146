import { checkFlag } from '../check.js';
import type { Duration } from '../duration.js';
import { ConfigError } from '../errors.js';
import {
  type Key,
  type Limit,
  type LockOptions,
  type OnBusy,
  type OnLost,
  type OnUnavailable,
  permitLimit,
} from '../locks/limit.js';
import type { TaskOptions } from './options.js';

/**
 * A field's type is that of its first value, and that of `'5s'` is string: what it says is checked at `register`. A plain
 * `string` here would swallow the editor's suggestions.
 */
type Loosely<T> = T | (string & {});

/** What a subclass may say in its fields, beside `lockName`. */
interface Choices {
  /** Permits there are. Default: what `resources` says, else 1. */
  capacity?: number;
  /** Permits a run takes. Default 1. */
  // biome-ignore lint/suspicious/noExplicitAny: the arguments are those of the subclass's lockedRun
  weight?: number | ((...args: any[]) => number);
  /** The longest that waiting messages may stand untended by any worker. Default 5 s. */
  countdown?: Loosely<Duration>;
  /** When busy, go back to the queue (default), or else do not run at all. */
  retryOnLock?: boolean;
  /** More choices than `retryOnLock` has. */
  onBusy?: Loosely<OnBusy>;
  maxWait?: Loosely<Duration>;
  waitTimeout?: Loosely<Duration>;
  onUnavailable?: Loosely<OnUnavailable>;
  lease?: Loosely<Duration>;
  maxHold?: Loosely<Duration> | boolean;
  onLost?: Loosely<OnLost>;
}

interface Statics {
  /** Default: the name of the class. */
  readonly taskName?: string;
  /** Queue, retries and the rest, as for a task made of a function. */
  readonly options?: TaskOptions;
}

/**
 * The same members, but with no declaration that a compiler could find: under `noImplicitOverride` it then asks for no
 * `override` in front of them, and takes one without it.
 */
type Undeclared<T> = { [K in Exclude<keyof T, never>]?: T[K] };

const Base: Undeclared<Statics> & (abstract new () => Undeclared<Choices>) = class {};

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
export abstract class LockedTask extends Base {
  /** The resource, or a function of the arguments that names it; `null` is not limited. */
  abstract lockName: Key;

  /** The work. Its arguments and result are the task's. */
  // biome-ignore lint/suspicious/noExplicitAny: a subclass says what they are
  abstract lockedRun(...args: any[]): any;
}

export type LockedTaskClass<T extends LockedTask = LockedTask> = (new () => T) & Statics;

/** Its key and weight take the arguments of its `lockedRun`. */
export type Fitting<T extends LockedTask> = new () => {
  lockName: Key<Parameters<T['lockedRun']>>;
  weight?: Limit<Parameters<T['lockedRun']>>['weight'];
};

export function isLockedTaskClass(value: unknown): value is LockedTaskClass {
  return typeof value === 'function' && value.prototype instanceof LockedTask;
}

/** The limit in the fields of an instance. */
export function limitOf(task: LockedTask, name: string): Limit {
  if (typeof task.lockedRun !== 'function')
    throw new ConfigError(`The LockedTask "${name}" has no \`lockedRun\``);
  if (task.lockName === undefined) throw new ConfigError(`The LockedTask "${name}" has no \`lockName\``);
  const { countdown, maxWait, waitTimeout, onUnavailable, lease, maxHold, onLost } = task;
  const retryOnLock = checkFlag(task.retryOnLock ?? true, `retryOnLock of task "${name}"`);
  return permitLimit(bound(task.lockName, task), task.capacity, {
    weight: bound(task.weight, task),
    countdown,
    maxWait,
    waitTimeout,
    onUnavailable,
    lease,
    maxHold,
    onLost,
    onBusy: task.onBusy ?? (retryOnLock ? 'requeue' : 'skip'),
  } as LockOptions);
}

/** Functions in the fields may be methods, too. */
function bound<V>(value: V, task: LockedTask): V {
  return typeof value === 'function' ? value.bind(task) : value;
}
