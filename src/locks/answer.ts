import type { Clock } from '../clock.js';
import { CoordinatorUnavailableError } from '../errors.js';
import { inTime } from '../in-time.js';
import type { Coordinator } from './coordinator.js';

/** A coordinator that keeps to its deadline answers first, and knows the reason. In milliseconds. */
const courtesy = 100;

/**
 * A coordinator's answer, if it comes within `timeout`. Coordinators promise that their calls end by then, but no client
 * library is trusted with it: one call that never ends would keep everybody waiting who comes after it.
 */
export function answered<T>(
  clock: Pick<Clock, 'after'>,
  coordinator: string,
  answer: Promise<T>,
  timeout: number,
): Promise<T> {
  return inTime(clock, answer, timeout + courtesy, () => {
    const cause = new Error(`no answer within ${timeout} ms`);
    return new CoordinatorUnavailableError(coordinator, { cause });
  });
}

/** The same for `enter` and `exit`, which a punctual coordinator ends in time by itself. */
export function stepAnswered<T>(
  clock: Pick<Clock, 'after'>,
  { kind, punctual }: Pick<Coordinator, 'kind' | 'punctual'>,
  answer: Promise<T>,
  timeout: number,
): Promise<T> {
  return punctual ? answer : answered(clock, kind, answer, timeout);
}
