import type { Clock } from '../clock.js';
import { CoordinatorUnavailableError } from '../errors.js';

/** A coordinator that keeps to its deadline answers first, and knows the reason. In milliseconds. */
const courtesy = 100;

/**
 * The answer, if it comes within `timeout`. Coordinators promise that their calls end by then, but no client library is
 * trusted with it: one call that never ends would keep everybody waiting who comes after it.
 */
export function inTime<T>(
  clock: Clock,
  coordinator: string,
  answer: Promise<T>,
  timeout: number,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(timeout + courtesy, () => {
      const cause = new Error(`no answer within ${timeout} ms`);
      reject(new CoordinatorUnavailableError(coordinator, { cause }));
    });
    answer.then(
      (value) => {
        cancel();
        resolve(value);
      },
      (error) => {
        cancel();
        reject(error);
      },
    );
  });
}
