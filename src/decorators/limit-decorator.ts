import { ConfigError } from '../errors.js';
import type { Limit } from '../locks/limit.js';
import { runUnder } from '../locks/limits.js';
import { type AnyFunction, declarationOf, declare, isClass } from '../tasks/declaration.js';
import { locksFor } from '../tasks/registered.js';
import { methodDecorator } from './method-decorator.js';

/** Arguments that begin with those that a key function takes. */
// biome-ignore lint/suspicious/noExplicitAny: what follows them is not looked at
type Starts<K extends readonly unknown[]> = readonly [...K, ...any[]];

/**
 * `T`, provided that `A` was inferred. Where it does not start with `K`, the compiler falls back on the bound, `Starts`,
 * and would let pass what takes fewer arguments; but the bound is known by its being readonly.
 */
type Fits<K extends readonly unknown[], A extends readonly unknown[], T> = A extends unknown[]
  ? T
  : KeyDoesNotFit<K>;

/** Stands in the compiler's message: the key function takes other arguments than what it is put on. */
interface KeyDoesNotFit<K> {
  readonly keyTakes: K;
}

/**
 * A limit as users write it: one value that decorates a method (standard and legacy decorators alike), wraps a function,
 * and goes to `app.task` as it is.
 */
export interface LimitDecorator<K extends readonly unknown[]> extends Limit<K> {
  /** On a method, as a standard decorator. The method must be asynchronous, and take what the key function takes. */
  <This, A extends Starts<K>, R>(
    method: (this: This, ...args: A) => Promise<R>,
    context: Fits<K, A, ClassMethodDecoratorContext<This, (this: This, ...args: A) => Promise<R>>>,
  ): void;
  /** On a method, under `experimentalDecorators`. */
  <A extends Starts<K>, R>(
    target: object,
    name: string | symbol,
    descriptor: Fits<K, A, TypedPropertyDescriptor<(...args: A) => Promise<R>>>,
  ): void;
  /** On a generic method, under `experimentalDecorators`. */
  // biome-ignore lint/suspicious/noExplicitAny: the parameters are inferred from the method
  <M extends (...args: any) => Promise<unknown>>(
    target: object,
    name: string | symbol,
    descriptor: Parameters<M> extends Starts<K> ? TypedPropertyDescriptor<M> : KeyDoesNotFit<K>,
  ): void;
  /** Around a function: calls wait for their turn, up to `waitTimeout`. Not a decorator, so there is no `context`. */
  <This, A extends Starts<K>, R>(
    fn: Fits<K, A, (this: This, ...args: A) => R>,
    context?: never,
  ): (this: This, ...args: A) => Promise<Awaited<R>>;
}

export function limitDecorator<K extends readonly unknown[]>(
  limit: Limit,
  called: string,
): LimitDecorator<K> {
  const wrap = (fn: AnyFunction) => limitedFunction(fn, limit);
  const decorator = (...given: unknown[]): unknown => {
    if (given.length > 1) return methodDecorator(called, given, wrap);
    const [fn] = given;
    if (typeof fn !== 'function' || isClass(fn)) {
      throw ConfigError.expected(`what ${called} is put on`, 'a function or a method', fn);
    }
    return wrap(fn as AnyFunction);
  };
  return Object.assign(decorator, limit) as unknown as LimitDecorator<K>;
}

/** The function under one limit more. Several limits are taken together, in one order, however they were put on. */
function limitedFunction(fn: AnyFunction, limit: Limit): AnyFunction {
  const { body, limits, task } = declarationOf(fn);
  const all = [limit, ...limits];
  const limited = function (this: unknown, ...args: unknown[]): Promise<unknown> {
    return runUnder(locksFor(this), all, args, () => body.apply(this, args));
  };
  Object.defineProperty(limited, 'name', { value: fn.name, configurable: true });
  Object.defineProperty(limited, 'length', { value: fn.length, configurable: true });
  declare(limited, { limits: all, body, task });
  return limited;
}
