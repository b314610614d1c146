import { checkObject, checkOneOf, checkText, checkWhole } from '../check.js';
import { type Duration, milliseconds } from '../duration.js';
import { ConfigError } from '../errors.js';
import type { Share } from '../message.js';
import { parseRate, type Rate, type RateText } from './rate.js';
import { holdOf } from './resources.js';

/** What a message does when the resource is busy. */
export type OnBusy = 'requeue' | 'skip' | 'wait' | 'fail';
export type OnUnavailable = 'requeue' | 'run' | 'fail';
export type OnLost = 'defer' | 'fail' | 'keep';

/** Options of every limit. */
export interface CommonOptions {
  /**
   * `requeue` (default): goes back to its queue and starts when capacity frees. `skip`: is not run at all. `wait`: waits
   * in the worker's slot for up to `waitTimeout`, then goes back. `fail`: fails with `BusyError`.
   */
  onBusy?: OnBusy;
  /** The longest that waiting messages may stand untended by any worker. Default 5 s. */
  countdown?: Duration;
  /** The longest a message may be put off, from its first deferral. Default: for ever, with a warning at 10 min. */
  maxWait?: Duration;
  /** How long direct calls and `onBusy: 'wait'` wait. Default 30 s. */
  waitTimeout?: Duration;
  /** When the coordinator does not answer: wait for it (default), run without the limit, or fail. */
  onUnavailable?: OnUnavailable;
}

// biome-ignore lint/suspicious/noExplicitAny: options that compute nothing go with every list of arguments
export interface LockOptions<A extends readonly unknown[] = any> extends CommonOptions {
  /** Permits a run takes, from 1. Default 1. */
  weight?: number | ((...args: A) => number);
  /** How soon the permit of a worker that died comes free. Default: the resource's, 15 s. */
  lease?: Duration;
  /** How long one run may hold the permit; `false` for as long as it likes. Default: the resource's, 1 h. */
  maxHold?: Duration | false;
  /** A run whose permit was lost is put back (default), fails, or keeps its result. */
  onLost?: OnLost;
}

// biome-ignore lint/suspicious/noExplicitAny: as above
export interface RateOptions<A extends readonly unknown[] = any> extends CommonOptions {
  /** Starts a run counts for, from 1. Default 1. */
  cost?: number | ((...args: A) => number);
  /** Starts that may come at once. Default 1. */
  burst?: number;
}

/** A name, or a function of the task's arguments that gives one; `null` is not limited. */
// biome-ignore lint/suspicious/noExplicitAny: a key that is a plain name goes with every list of arguments
export type Key<A extends readonly unknown[] = any> = string | ((...args: A) => string | null);

/** A limit on a task: made by `locked` and `limited`, never changed. */
// biome-ignore lint/suspicious/noExplicitAny: as above
export interface Limit<A extends readonly unknown[] = any> {
  readonly kind: 'permits' | 'rate';
  readonly key: Key<A>;
  /** Permits, or starts of a rate, that one run takes. */
  readonly weight: number | ((...args: A) => number);
  /** Given with the limit itself; otherwise the resource says. */
  readonly capacity?: number;
  readonly rate?: Rate;
  readonly onBusy: OnBusy;
  readonly countdown: number;
  readonly maxWait?: number;
  /** Present when it was given. */
  readonly waitTimeout?: number;
  readonly onUnavailable: OnUnavailable;
  readonly onLost: OnLost;
  readonly lease?: number;
  readonly maxHold?: number;
}

export const defaultWaitTimeout = 30_000;

const commonFields = ['onBusy', 'countdown', 'maxWait', 'waitTimeout', 'onUnavailable'];

/** A limit on permits. Throws `ConfigError` for what cannot be one. */
export function permitLimit(key: Key, capacity: number | undefined, options: LockOptions = {}): Limit {
  const name = `locked(${keyName(key)})`;
  checkObject(options, `${name} options`, [...commonFields, 'weight', 'lease', 'maxHold', 'onLost']);
  return Object.freeze({
    kind: 'permits',
    key,
    capacity: capacity === undefined ? undefined : checkWhole(capacity, `${name} capacity`),
    weight: weightOf(options.weight, `${name} weight`),
    ...common(options, name),
    lease: options.lease === undefined ? undefined : milliseconds(options.lease, `${name} lease`),
    maxHold: holdOf(options.maxHold, `${name} maxHold`),
    onLost: checkOneOf(options.onLost ?? 'defer', `${name} onLost`, ['defer', 'fail', 'keep']),
  });
}

/** A limit on starts. Throws `ConfigError` for what cannot be one. */
export function rateLimit(key: Key, rate: RateText | undefined, options: RateOptions = {}): Limit {
  const name = `limited(${keyName(key)})`;
  checkObject(options, `${name} options`, [...commonFields, 'cost', 'burst']);
  if (rate === undefined && options.burst !== undefined) {
    throw new ConfigError(
      `\`${name}\` has a burst but no rate: give the rate too, or say both in \`resources\``,
    );
  }
  return Object.freeze({
    kind: 'rate',
    key,
    rate: rate === undefined ? undefined : parseRate(rate, options.burst, `${name} rate`),
    weight: weightOf(options.cost, `${name} cost`),
    ...common(options, name),
    onLost: 'keep',
  });
}

function common(options: CommonOptions, name: string) {
  return {
    onBusy: checkOneOf(options.onBusy ?? 'requeue', `${name} onBusy`, ['requeue', 'skip', 'wait', 'fail']),
    countdown: milliseconds(options.countdown ?? 5_000, `${name} countdown`),
    maxWait: options.maxWait === undefined ? undefined : milliseconds(options.maxWait, `${name} maxWait`),
    waitTimeout:
      options.waitTimeout === undefined
        ? undefined
        : milliseconds(options.waitTimeout, `${name} waitTimeout`),
    onUnavailable: checkOneOf(options.onUnavailable ?? 'requeue', `${name} onUnavailable`, [
      'requeue',
      'run',
      'fail',
    ]),
  };
}

function weightOf(weight: Limit['weight'] | undefined, name: string): Limit['weight'] {
  if (typeof weight === 'function') return weight;
  return weight === undefined ? 1 : checkWhole(weight, name);
}

function keyName(key: Key): string {
  if (typeof key === 'string') return JSON.stringify(checkText(key, 'name'));
  if (typeof key === 'function') return 'key function';
  throw ConfigError.expected('name', 'a text, or a function of the arguments that gives one', key);
}

/** The share that a call with these arguments asks for; null when it is not limited. */
export function shareOf(limit: Limit, args: readonly unknown[]): Share | null {
  const key = typeof limit.key === 'string' ? limit.key : limit.key(...args);
  if (key === null) return null;
  if (typeof key !== 'string') {
    throw ConfigError.expected('the key that a key function returns', 'a text, or null for no limit', key);
  }
  const weight = typeof limit.weight === 'number' ? limit.weight : limit.weight(...args);
  return { key, weight: checkWhole(weight, `the ${limit.kind === 'rate' ? 'cost' : 'weight'} for "${key}"`) };
}

/** The shares of limits that depend on no arguments; nothing when one of them does. */
export function fixedShares(limits: readonly Limit[]): readonly Share[] | undefined {
  const shares: Share[] = [];
  for (const { key, weight } of limits) {
    if (typeof key !== 'string' || typeof weight !== 'number') return undefined;
    shares.push({ key, weight });
  }
  return shares;
}
