import { readable } from '../duration.js';
import type { Rate } from '../locks/rate.js';

/**
 * Rows as columns, as wide as they must be, and none for what is empty in all of them. With a `header` there is a line
 * above them, and numbers stand to the right.
 */
export function table(
  rows: readonly (readonly string[])[],
  { indent = '', header }: { indent?: string; header?: readonly string[] } = {},
): string {
  const all = header ? [header, ...rows] : rows;
  const widths = all.reduce<number[]>(
    (widest, row) => row.map((cell, i) => Math.max(widest[i] ?? 0, cell.length)),
    [],
  );
  const numeric = widths.map(
    (_, i) => header !== undefined && rows.every((row) => /^[\d,]+$/.test(row[i] ?? '')),
  );
  const line = (row: readonly string[]) =>
    row
      .map((cell, i) => (numeric[i] ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0)))
      .filter((_, i) => widths[i] !== 0)
      .join('  ');
  return all.map((row) => `${indent}${line(row)}`.trimEnd()).join('\n');
}

/** A number as a person reads it: `1,234,567`. */
export function count(value: number): string {
  return value.toLocaleString('en-US');
}

/** `1 message`, `2 messages`. */
export function many(value: number, one: string, several = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : several}`;
}

/** How long ago an instant is, or how far ahead; both in milliseconds since 1970. */
export function relative(at: number, now: number): string {
  return at <= now ? `${readable(now - at)} ago` : `in ${readable(at - now)}`;
}

/** Date and time, to the second, in UTC. */
export function instant(at: number): string {
  return new Date(at).toISOString().replace(/\.\d+Z$/, 'Z');
}

const units: readonly (readonly [number, string])[] = [
  [86_400_000, 'd'],
  [3_600_000, 'h'],
  [60_000, 'm'],
  [1_000, 's'],
];

/** A rate as it is written: `100/m`, and its burst when there is one. */
export function rateText({ limit, per, burst }: Rate): string {
  const [size, unit] = units.find(([ms]) => per % ms === 0) ?? [1, 'ms'];
  const rate = `${limit}/${per === size ? '' : per / size}${unit}`;
  return burst > 1 ? `${rate}, burst ${burst}` : rate;
}

/** As JSON, with tokens as texts. */
export function json(value: unknown): string {
  const plain = (_: string, item: unknown) => (typeof item === 'bigint' ? String(item) : item);
  return JSON.stringify(value, plain, 2);
}
