/**
 * A value that is there, or that is promised. Steps that every task goes through give one where the embedded default has
 * its answer at once: under async hooks the promises would cost more than the step.
 */
export type Soon<T> = T | Promise<T>;

/** Goes on with the value: now if it is there, else when it comes. */
export function whenThere<T, R>(value: Soon<T>, next: (value: T) => Soon<R>): Soon<R> {
  return value instanceof Promise ? value.then(next) : next(value);
}
