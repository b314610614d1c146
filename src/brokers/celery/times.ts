import { MalformedMessageError, show } from '../../errors.js';

/** Times as Celery writes them: ISO 8601 with an offset, and UTC where there is none. */

export function isoOf(ms: number): string {
  return new Date(ms).toISOString().replace('Z', '+00:00');
}

/** Milliseconds since 1970; `NaN` for what is no time. */
export function msIn(iso: string): number {
  return Date.parse(/(?:Z|[+-]\d\d:?\d\d)$/.test(iso) ? iso : `${iso}Z`);
}

/** Milliseconds since 1970. Throws `MalformedMessageError` for what is no time. */
export function msOf(iso: unknown, header: string): number | undefined {
  if (iso === undefined || iso === null) return undefined;
  const ms = typeof iso === 'string' ? msIn(iso) : Number.NaN;
  if (Number.isFinite(ms)) return ms;
  throw new MalformedMessageError(`its header \`${header}\` is ${show(iso)}, which is no time`);
}
