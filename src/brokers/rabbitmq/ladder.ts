import { steps } from './names.js';

/** The length of the shortest step, in milliseconds. */
const unit = 100;

/** The longest delay in one round, in milliseconds. */
export const longestRound = unit * (2 ** steps - 1);

/**
 * The way down the ladder for a delay: which steps it rests on. A word for each, longest first, as the bindings expect.
 *
 * A delay is rounded up to the next 100 ms. What is longer than a round goes round again: whoever receives it sends it
 * off for what is `left`.
 */
export function wayDown(delay: number): { key: string; left: number } {
  const now = Math.min(delay, longestRound);
  const units = Math.ceil(now / unit);
  const words = Array.from({ length: steps }, (_, i) => ((units >> (steps - 1 - i)) & 1 ? '1' : '0'));
  return { key: words.join('.'), left: Math.ceil(delay - now) };
}

/** The keys that a step's exchange sends to its queue, and those that it sends on to the next. */
export function patternsOf(step: number): { rest: string; pass: string } {
  const words = (word: string) =>
    Array.from({ length: steps }, (_, i) => (i === steps - 1 - step ? word : '*')).join('.');
  return { rest: words('1'), pass: words('0') };
}
