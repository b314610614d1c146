import { ConfigError } from '../errors.js';
import type { Key, LockOptions, RateOptions } from '../locks/limit.js';
import { permitLimit, rateLimit } from '../locks/limit.js';
import type { RateText } from '../locks/rate.js';
import { type LimitDecorator, limitDecorator } from './limit-decorator.js';

type Args = readonly unknown[];
type KeyFunction<K extends Args> = (...args: K) => string | null;

/**
 * At most `capacity` at once of what has this name, anywhere: on a method, around a function, or on a task.
 *
 *     locked('storage', 10)
 *     locked((account: string) => `tenant:${account}`, { countdown: '5s' })
 *
 * The name may be a function of the arguments; `null` is not limited. Capacity: as given, else what `resources` says,
 * else 1, a mutex. Throws `ConfigError` for options that cannot be.
 */
export function locked<K extends Args>(
  name: KeyFunction<K>,
  capacity?: number,
  options?: NoInfer<LockOptions<K>>,
): LimitDecorator<K>;
export function locked<K extends Args>(
  name: KeyFunction<K>,
  options: NoInfer<LockOptions<K>>,
): LimitDecorator<K>;
export function locked(name: string, capacity?: number, options?: LockOptions<[]>): LimitDecorator<[]>;
export function locked(name: string, options: LockOptions<[]>): LimitDecorator<[]>;
export function locked<K extends Args>(
  name: string,
  capacity: number,
  options: LockOptions<K>,
): LimitDecorator<K>;
export function locked<K extends Args>(name: string, options: LockOptions<K>): LimitDecorator<K>;
export function locked(name: Key, second?: number | LockOptions, third?: LockOptions): LimitDecorator<Args> {
  mustBeCalled('locked', second, third);
  const [capacity, options] = typeof second === 'object' ? [undefined, second] : [second, third];
  return limitDecorator(permitLimit(name, capacity, options), 'locked()');
}

/**
 * At most `rate` starts of what has this name, anywhere: on a method, around a function, or on a task.
 *
 *     limited('sms-api', '100/m', { burst: 10 })
 *
 * A start that is not free now is booked, and the task comes back for it. Rate: as given, else what `resources` says.
 * Throws `ConfigError` for options that cannot be.
 */
export function limited<K extends Args>(
  name: KeyFunction<K>,
  rate?: RateText,
  options?: NoInfer<RateOptions<K>>,
): LimitDecorator<K>;
export function limited<K extends Args>(
  name: KeyFunction<K>,
  options: NoInfer<RateOptions<K>>,
): LimitDecorator<K>;
export function limited(name: string, rate?: RateText, options?: RateOptions<[]>): LimitDecorator<[]>;
export function limited(name: string, options: RateOptions<[]>): LimitDecorator<[]>;
export function limited<K extends Args>(
  name: string,
  rate: RateText,
  options: RateOptions<K>,
): LimitDecorator<K>;
export function limited<K extends Args>(name: string, options: RateOptions<K>): LimitDecorator<K>;
export function limited(
  name: Key,
  second?: RateText | RateOptions,
  third?: RateOptions,
): LimitDecorator<Args> {
  mustBeCalled('limited', second, third);
  const [rate, options] = typeof second === 'object' ? [undefined, second] : [second, third];
  return limitDecorator(rateLimit(name, rate, options), 'limited()');
}

/** `@locked` on a method, without parentheses, is called with what a decorator is called with. */
function mustBeCalled(name: string, second: unknown, third: unknown): void {
  const standard =
    typeof second === 'object' && second !== null && 'kind' in second && 'addInitializer' in second;
  const legacy =
    typeof second === 'string' && typeof third === 'object' && third !== null && 'value' in third;
  if (standard || legacy)
    throw new ConfigError(`${name}() makes a decorator: write \`@${name}('a name')\`, not \`@${name}\``);
}
