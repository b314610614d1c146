import { checkFlag, checkObject, checkText, checkWhole } from '../check.js';
import { type Duration, milliseconds } from '../duration.js';
import { ConfigError } from '../errors.js';
import type { Limit } from '../locks/limit.js';
import { checkPriority } from '../message.js';
import { type RetryOptions, type RetryPolicy, retryPolicy } from './retry.js';

/** A plain duration is `hard`. */
export type TimeLimit = Duration | { soft?: Duration; hard?: Duration };

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
  timeLimit?: TimeLimit;
  /** How long after the call it may still start. Default: for ever. */
  expires?: Duration;
  /** How many workers may die with it before it is set aside. Default 3. */
  maxLost?: number;
  /** Keep no result. Default false. */
  ignoreResult?: boolean;
  /** Also keep the states `started` and `deferred`. Default false. */
  trackStates?: boolean;
  /** The names of the function's parameters, in order, for callers that name arguments, as from Python. Default: none. */
  parameters?: readonly string[];
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
  readonly parameters?: readonly string[];
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
  'parameters',
] as const;

export function taskSettings(options: TaskOptions, name: string, defaultQueue: string): TaskSettings {
  const path = `the options of task "${name}"`;
  checkObject(options, path, taskFields);
  return {
    queue: options.queue === undefined ? defaultQueue : checkText(options.queue, 'queue'),
    priority: checkPriority(options.priority ?? 0),
    retry: retryPolicy(options.retry, `retry of task "${name}"`),
    ...timeLimits(options.timeLimit, `timeLimit of task "${name}"`),
    expires: options.expires === undefined ? undefined : milliseconds(options.expires, 'expires'),
    maxLost: checkWhole(options.maxLost ?? 3, 'maxLost', 0),
    ignoreResult: checkFlag(options.ignoreResult ?? false, 'ignoreResult'),
    trackStates: checkFlag(options.trackStates ?? false, 'trackStates'),
    parameters: options.parameters && checkParameters(options.parameters, name),
  };
}

function checkParameters(given: readonly string[], task: string): readonly string[] {
  const path = `parameters of task "${task}"`;
  if (!Array.isArray(given) || new Set(given).size < given.length) {
    throw ConfigError.expected(path, 'a list of names, each there once', given);
  }
  return given.map((name) => checkText(name, path));
}

export function timeLimits(given: TimeLimit | undefined, path: string): { soft?: number; hard?: number } {
  if (given === undefined) return {};
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

/** The definition that a task was given, or whose only limit it was given. */
// biome-ignore lint/suspicious/noExplicitAny: the overloads of `task` have checked the limits against the arguments
export function definitionOf(given: unknown, name: string): TaskDefinition<any> {
  if (isLimit(given)) return { limits: [given] };
  const { limits, ...options } = checkObject(given, `the options of task "${name}"`, [
    'limits',
    ...taskFields,
  ]);
  if (limits === undefined) return options;
  if (!Array.isArray(limits) || !limits.every(isLimit)) {
    throw ConfigError.expected(
      `limits of task "${name}"`,
      'a list of limits, made by locked() and limited()',
      limits,
    );
  }
  return { ...options, limits };
}

export function isLimit(value: unknown): value is Limit {
  const kind = (value as Limit | undefined)?.kind;
  return kind === 'permits' || kind === 'rate';
}
