import { checkText } from '../check.js';
import { type AnyFunction, declarationOf, declare } from '../tasks/declaration.js';
import type { TaskOptions } from '../tasks/options.js';
import { methodDecorator } from './method-decorator.js';

/** What `@task()` may stand on. */
export interface TaskDecorator {
  /** On a method, as a standard decorator. */
  <This, A extends readonly unknown[], R>(
    method: (this: This, ...args: A) => R,
    context: ClassMethodDecoratorContext<This, (this: This, ...args: A) => R>,
  ): void;
  /** On a method, under `experimentalDecorators`. */
  <M>(target: object, name: string | symbol, descriptor: TypedPropertyDescriptor<M>): void;
}

/**
 * Makes a method a task, named `Class.method` unless told otherwise, once its object is registered with an app. Goes
 * together with `@locked` and `@limited`, in any order.
 */
export function task(name: string, options?: TaskOptions): TaskDecorator;
export function task(options?: TaskOptions): TaskDecorator;
export function task(first: string | TaskOptions = {}, second: TaskOptions = {}): TaskDecorator {
  const options = typeof first === 'string' ? { ...second, name: checkText(first, 'name') } : first;
  const mark = (fn: AnyFunction) => {
    declare(fn, { ...declarationOf(fn), task: options });
    return fn;
  };
  return ((...given: unknown[]) => methodDecorator('task()', given, mark)) as TaskDecorator;
}
