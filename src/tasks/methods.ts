import { ConfigError } from '../errors.js';
import { type AnyFunction, type Declaration, declarationOf } from './declaration.js';
import { LockedTask } from './locked-task.js';
import type { Task } from './task.js';

/** The tasks of an object's decorated methods: a handle each, under the method's name. */
export type Handles<T extends object> = {
  readonly [K in keyof T as T[K] extends AnyFunction ? K : never]: T[K] extends (...args: infer A) => infer R
    ? Task<A, Awaited<R>>
    : never;
};

/** The methods of an object and its classes, the most derived first, each name once. */
export function methodsOf(instance: object): Map<string, { method: AnyFunction; declaration: Declaration }> {
  const methods = new Map<string, { method: AnyFunction; declaration: Declaration }>();
  for (
    let level: object | null = instance;
    level && level !== Object.prototype;
    level = Object.getPrototypeOf(level)
  ) {
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(level))) {
      if (typeof value !== 'function' || name === 'constructor' || methods.has(name)) continue;
      methods.set(name, { method: value, declaration: declarationOf(value) });
    }
  }
  return methods;
}

/**
 * Handles for an object. A method without `@task` has one too, as its type says, which throws when it is used.
 */
export function handlesOf(
  instance: object,
  make: (name: string, declaration: Declaration) => object,
): object {
  const handles = {};
  const className = instance.constructor?.name || 'Object';
  let found = false;
  for (const [name, { declaration }] of methodsOf(instance)) {
    const { task } = declaration;
    if (!task) {
      Object.defineProperty(handles, name, {
        get(): never {
          throw new ConfigError(`${className}.${name} is not a task: decorate the method with @task()`);
        },
      });
      continue;
    }
    found = true;
    const value = make(task.name ?? `${className}.${name}`, declaration);
    Object.defineProperty(handles, name, { value, enumerable: true });
  }
  if (!found) {
    const remedy =
      instance instanceof LockedTask
        ? 'register its class, not an object of it'
        : 'decorate one with @task()';
    throw new ConfigError(`${className} has no method that is a task: ${remedy}`);
  }
  return handles;
}
