import { ConfigError } from './errors.js';

/** Milliseconds, or a number with a unit: `'250ms'`, `'5s'`, `'1.5m'`, `'2h'`, `'1d'`. */
export type Duration = number | `${number}${Unit}`;

type Unit = 'ms' | 's' | 'm' | 'h' | 'd';

const units: Record<Unit, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A duration in milliseconds. Throws `ConfigError`, naming the option, for what is not one. */
export function milliseconds(value: unknown, name: string): number {
  const ms = typeof value === 'string' ? parse(value) : value;
  if (typeof ms === 'number' && Number.isFinite(ms) && ms >= 0) return ms;
  throw ConfigError.expected(
    name,
    "a duration of 0 or more (milliseconds, or a text such as '5s' or '2m')",
    value,
  );
}

function parse(text: string): number {
  const match = /^\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)\s*$/.exec(text);
  return match ? Number(match[1]) * units[match[2] as Unit] : Number.NaN;
}

/** A duration as a person would write it: `250 ms`, `5 s`, `2.5 min`. */
export function readable(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${round(ms / 1_000)} s`;
  if (ms < 3_600_000) return `${round(ms / 60_000)} min`;
  return `${round(ms / 3_600_000)} h`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
