import type { Claim } from '../coordinator.js';

/**
 * The value of a lock's key, which others of `redlock`'s kind only ever compare: a mark, the id of the claim, and in JSON
 * who holds it, since when and for what. What begins otherwise is somebody else's.
 */
export interface Value {
  readonly id: string;
  readonly owner: string;
  /** Milliseconds since 1970, by the clock of whoever holds it. */
  readonly since: number;
  readonly task?: string;
  readonly message?: string;
}

/** What the value of a claim begins with, and of no other. It does for asking anything but to be let in. */
export function beginOf({ id }: { readonly id: string }): string {
  return `lk1 ${encodeURIComponent(id)} `;
}

export function writeValue(claim: Claim, { owner, since }: Pick<Value, 'owner' | 'since'>): string {
  const { task, message } = claim;
  return beginOf(claim) + JSON.stringify({ owner, since, task, message });
}

/** Nothing for a value that is not ours. */
export function readValue(text: string): Value | undefined {
  const [, id, rest] = /^lk1 (\S+) (.*)$/s.exec(text) ?? [];
  if (id === undefined || rest === undefined) return undefined;
  return { id: decodeURIComponent(id), ...(JSON.parse(rest) as Omit<Value, 'id'>) };
}
