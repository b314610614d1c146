import { checkFlag, checkObject, checkOneOf, checkWhole } from '../check.js';
import { type Duration, milliseconds } from '../duration.js';
import { ConfigError } from '../errors.js';
import type { MessageRetry } from '../message.js';

/** What follows when an attempt fails. Deferrals and losses are counted apart and use nothing up. */
export interface RetryOptions {
  /** Attempts after the first. Default 3. */
  max?: number;
  /** Before the second attempt. Default 1 s. */
  delay?: Duration;
  /** `exponential` (default): twice as long each time. `fixed`: always `delay`. */
  backoff?: 'exponential' | 'fixed';
  /** No pause is longer. Default 10 min. */
  maxDelay?: Duration;
  /** Shortens each pause by a random part of up to half, so that what failed together does not come back together. Default true. */
  jitter?: boolean;
  /** Errors that are worth another attempt: their classes, or a function that tells. Default: all. */
  // biome-ignore lint/suspicious/noExplicitAny: whatever an error's constructor takes
  retryOn?: readonly (abstract new (...args: any[]) => Error)[] | ((error: unknown) => boolean);
}

export interface RetryPolicy {
  readonly max: number;
  readonly delay: number;
  readonly exponential: boolean;
  readonly maxDelay: number;
  readonly jitter: boolean;
  readonly worthIt: (error: unknown) => boolean;
}

const fields = ['max', 'delay', 'backoff', 'maxDelay', 'jitter', 'retryOn'];

/** A number is that many attempts after the first; `false`, or nothing, is none. */
export function retryPolicy(given: number | RetryOptions | false = false, name: string): RetryPolicy {
  const options: RetryOptions =
    typeof given === 'number' ? { max: given } : given === false ? { max: 0 } : given;
  checkObject(options, name, fields);
  return {
    max: checkWhole(options.max ?? 3, `${name}.max`, 0),
    delay: milliseconds(options.delay ?? 1_000, `${name}.delay`),
    exponential:
      checkOneOf(options.backoff ?? 'exponential', `${name}.backoff`, ['exponential', 'fixed']) ===
      'exponential',
    maxDelay: milliseconds(options.maxDelay ?? 600_000, `${name}.maxDelay`),
    jitter: checkFlag(options.jitter ?? true, `${name}.jitter`),
    worthIt: filterOf(options.retryOn, `${name}.retryOn`),
  };
}

function filterOf(retryOn: RetryOptions['retryOn'], name: string): (error: unknown) => boolean {
  if (retryOn === undefined) return () => true;
  if (Array.isArray(retryOn) && retryOn.every(isErrorClass)) {
    return (error) => retryOn.some((type) => error instanceof type);
  }
  if (typeof retryOn === 'function' && !isErrorClass(retryOn)) return (error) => answer(retryOn, error);
  throw ConfigError.expected(name, 'a list of error classes, or a function', retryOn);
}

function isErrorClass(value: unknown): boolean {
  return typeof value === 'function' && (value === Error || value.prototype instanceof Error);
}

/** A filter that throws has not said yes. What the run threw is what its caller is to see. */
function answer(filter: (error: unknown) => boolean, error: unknown): boolean {
  try {
    return filter(error);
  } catch {
    return false;
  }
}

/** Milliseconds before the attempt after `retries` others; nothing when there is none. */
export function nextAttempt(
  policy: RetryPolicy,
  retries: number,
  error: unknown,
  override: MessageRetry = {},
): number | undefined {
  if (retries >= (override.max ?? policy.max) || !policy.worthIt(error)) return undefined;
  const first = override.delay ?? policy.delay;
  const pause = Math.min(policy.exponential ? first * 2 ** Math.min(retries, 40) : first, policy.maxDelay);
  return policy.jitter ? pause * (1 - Math.random() / 2) : pause;
}
