import type { Clock } from './clock.js';

/** The answer, if it comes within so many milliseconds; else a rejection with what `late` says. `told`: what a failure is told as. */
export function inTime<T>(
  clock: Pick<Clock, 'after'>,
  answer: Promise<T>,
  ms: number,
  late: () => unknown,
  told: (error: unknown) => unknown = (error) => error,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(ms, () => reject(late()));
    answer.then(
      (value) => {
        cancel();
        resolve(value);
      },
      (error) => {
        cancel();
        reject(told(error));
      },
    );
  });
}
