import { checkWhole } from '../check.js';
import { milliseconds } from '../duration.js';
import { ConfigError } from '../errors.js';

/** `'100/m'`, `'50/s'`, `'10/500ms'`, `'1000/2h'`: so many starts in so much time. */
export type RateText = `${number}/${string}`;

export interface Rate {
  readonly limit: number;
  /** Milliseconds. */
  readonly per: number;
  /** Starts that may come at once. */
  readonly burst: number;
}

export function parseRate(value: unknown, burst: unknown, name: string): Rate {
  const match = typeof value === 'string' ? /^(\d+)\/(\d+(?:\.\d+)?)?(ms|s|m|h|d)$/.exec(value.trim()) : null;
  if (!match) throw ConfigError.expected(name, "a rate such as '100/m', '50/s' or '10/500ms'", value);
  const limit = checkWhole(Number(match[1]), name);
  const per = milliseconds(`${match[2] ?? 1}${match[3]}`, name);
  if (per === 0) throw ConfigError.expected(name, 'a rate over a time longer than 0', value);
  return { limit, per, burst: burst === undefined ? 1 : checkWhole(burst, name.replace(/rate$/, 'burst')) };
}

/** Milliseconds between two starts. */
export function interval(rate: Rate): number {
  return rate.per / rate.limit;
}
