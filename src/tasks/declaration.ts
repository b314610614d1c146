import type { Limit } from '../locks/limit.js';
import type { TaskOptions } from './options.js';

/**
 * What decorators and wrappers leave on a function: its limits, the body beneath them, and whether it is a task. They
 * add to it in any order; whoever registers the function reads it.
 */
export interface Declaration {
  /** Outermost first. */
  readonly limits: readonly Limit[];
  readonly body: AnyFunction;
  readonly task?: TaskOptions & { name?: string };
}

// biome-ignore lint/suspicious/noExplicitAny: a function of which nothing is known
export type AnyFunction = (this: any, ...args: any[]) => any;

/** Survives two copies of the package. */
const key = Symbol.for('lockkeeper.declaration');

export function declarationOf(fn: AnyFunction): Declaration {
  return (fn as { [key]?: Declaration })[key] ?? { limits: [], body: fn };
}

export function declare(fn: AnyFunction, declaration: Declaration): void {
  Object.defineProperty(fn, key, { value: declaration, configurable: true });
}

export function isClass(fn: unknown): boolean {
  return /^class[\s{]/.test(Function.prototype.toString.call(fn));
}
