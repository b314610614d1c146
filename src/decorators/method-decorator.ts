import { ConfigError } from '../errors.js';
import type { AnyFunction } from '../tasks/declaration.js';

/** Where a decorated method stands. */
export interface Place {
  readonly name: string | symbol;
  readonly static: boolean;
  readonly private: boolean;
}

/** Puts `change` on a method, under either kind of decorators. They are told apart by what they are called with. */
export function methodDecorator(
  called: string,
  given: readonly unknown[],
  change: (method: AnyFunction, place: Place) => AnyFunction,
): unknown {
  const [target, second] = given;
  if (typeof second === 'object' && second !== null) {
    const context = second as ClassMethodDecoratorContext;
    if (context.kind === 'method' && typeof target === 'function')
      return change(target as AnyFunction, context);
    throw misplaced(called, context.name, withArticle(String(context.kind)));
  }
  return legacyMethod(called, given, change);
}

function legacyMethod(
  called: string,
  [target, name, descriptor]: readonly unknown[],
  change: (method: AnyFunction, place: Place) => AnyFunction,
): PropertyDescriptor {
  if (typeof name !== 'string' && typeof name !== 'symbol') throw misplaced(called, nameOf(target), 'none');
  const method = (descriptor as PropertyDescriptor | undefined)?.value;
  if (typeof method !== 'function') throw misplaced(called, name, 'none');
  const place = { name, static: typeof target === 'function', private: false };
  return { ...(descriptor as PropertyDescriptor), value: change(method, place) };
}

function misplaced(called: string, name: unknown, what: string): ConfigError {
  return new ConfigError(`${called} goes on methods, and "${String(name)}" is ${what}`);
}

function withArticle(kind: string): string {
  return /^[aeiou]/.test(kind) ? `an ${kind}` : `a ${kind}`;
}

function nameOf(target: unknown): unknown {
  return typeof target === 'function' ? target.name : target;
}
