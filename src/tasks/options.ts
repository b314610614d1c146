import { checkFlag, checkObject, checkText, checkWhole } from '../check.js';
import { type Duration, milliseconds } from '../duration.js';
import { ConfigError } from '../errors.js';
import type { Limit } from '../locks/limit.js';
import { checkPriority } from '../message.js';
import { type RetryOptions, type RetryPolicy, retryPolicy } from './retry.js';

/** Options of a task. */
export interface TaskOptions {
  /** Default: the app's `queue`. */
  queue?: string;
  /** 0 to 9, higher first. Default 0. */
  priority?: number;
  /** Attempts after the first, or a policy. Default: none. */
  retry?: number | RetryOptions | false;
  /**
   * How long a run may take. At `soft` its signal aborts with `SoftTimeLimitError`, and what it then returns counts; at
   * `hard` it has failed with `TimeLimitError`. A plain duration is `hard`. Default: no limit.
   */
  timeLimit?: Duration | { soft?: Duration; hard?: Duration };
  /** How long after the call it may still start. Default: for ever. */
  expires?: Duration;
  /** How many workers may die with it before it is set aside. Default 3. */
  maxLost?: number;
  /** Keep no result. Default false. */
  ignoreResult?: boolean;
  /** Also keep the states `started` and `deferred`. Default false. */
  trackStates?: boolean;
}

/** What `app.task` takes beside the name and the function. */
export interface TaskDefinition<A extends readonly unknown[]> extends TaskOptions {
  limits?: readonly Limit<A>[];
}

export interface TaskSettings {
  readonly queue: string;
  readonly priority: number;
  readonly retry: RetryPolicy;
  readonly soft?: number;
  readonly hard?: number;
  readonly expires?: number;
  readonly maxLost: number;
  readonly ignoreResult: boolean;
  readonly trackStates: boolean;
}

export const taskFields = [
  'queue',
  'priority',
  'retry',
  'timeLimit',
  'expires',
  'maxLost',
  'ignoreResult',
  'trackStates',
] as const;

export function taskSettings(options: TaskOptions, name: string, defaultQueue: string): TaskSettings {
  const path = `the options of task "${name}"`;
  checkObject(options, path, taskFields);
  return {
    queue: options.queue === undefined ? defaultQueue : checkText(options.queue, 'queue'),
    priority: checkPriority(options.priority ?? 0),
    retry: retryPolicy(options.retry, `retry of task "${name}"`),
    ...timeLimits(options.timeLimit, name),
    expires: options.expires === undefined ? undefined : milliseconds(options.expires, 'expires'),
    maxLost: checkWhole(options.maxLost ?? 3, 'maxLost', 0),
    ignoreResult: checkFlag(options.ignoreResult ?? false, 'ignoreResult'),
    trackStates: checkFlag(options.trackStates ?? false, 'trackStates'),
  };
}

function timeLimits(given: TaskOptions['timeLimit'], name: string): { soft?: number; hard?: number } {
  if (given === undefined) return {};
  const path = `timeLimit of task "${name}"`;
  if (typeof given !== 'object') return { hard: milliseconds(given, path) };
  checkObject(given, path, ['soft', 'hard']);
  const soft = given.soft === undefined ? undefined : milliseconds(given.soft, `${path}.soft`);
  const hard = given.hard === undefined ? undefined : milliseconds(given.hard, `${path}.hard`);
  if (soft !== undefined && hard !== undefined && soft >= hard) {
    throw new ConfigError(
      `The soft limit (${soft} ms) in ${path} is not shorter than the hard one (${hard} ms)`,
    );
  }
  return { soft, hard };
}
