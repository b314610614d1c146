import { checkObject, checkText } from '../check.js';
import { ConfigError } from '../errors.js';
import { type AnyFunction, declarationOf, declare } from '../tasks/declaration.js';
import { type TaskOptions, taskFields } from '../tasks/options.js';
import { methodDecorator, type Place } from './method-decorator.js';

/** A method that `register` finds, and that a handle can have a name for. */
interface Reachable {
  readonly name: string;
  readonly static: false;
  readonly private: false;
}

/** What `@task()` may stand on. */
export interface TaskDecorator {
  /** On a method, as a standard decorator. */
  <This, A extends readonly unknown[], R>(
    method: (this: This, ...args: A) => R,
    context: ClassMethodDecoratorContext<This, (this: This, ...args: A) => R> & Reachable,
  ): void;
  /** On a method, under `experimentalDecorators`. */
  <M extends AnyFunction>(target: object, name: string, descriptor: TypedPropertyDescriptor<M>): void;
}

/**
 * Makes a method a task, named `Class.method` unless told otherwise, once its object is registered with an app. Goes
 * together with `@locked` and `@limited`, in any order.
 */
export function task(name: string, options?: TaskOptions): TaskDecorator;
export function task(options?: TaskOptions): TaskDecorator;
export function task(first: string | TaskOptions = {}, second?: TaskOptions): TaskDecorator {
  const named = typeof first === 'string';
  if (!named && second !== undefined)
    throw new ConfigError('task() makes a decorator: write `@task()`, not `@task`');
  const options = checkObject(named ? (second ?? {}) : first, 'the options of task()', taskFields);
  const declared = named ? { ...options, name: checkText(first, 'name') } : options;
  const mark = (fn: AnyFunction, place: Place) => {
    mustBeReachable(place);
    declare(fn, { ...declarationOf(fn), task: declared });
    return fn;
  };
  return ((...given: unknown[]) => methodDecorator('task()', given, mark)) as TaskDecorator;
}

function mustBeReachable({ name, static: isStatic, private: isPrivate }: Place): void {
  const fault = isStatic
    ? 'static'
    : isPrivate
      ? 'private'
      : typeof name === 'symbol'
        ? 'named by a symbol'
        : undefined;
  if (fault)
    throw new ConfigError(`task() goes on public methods of objects, and "${String(name)}" is ${fault}`);
}
