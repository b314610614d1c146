import type { Entry } from './entry.js';

/** Keys of one transaction share a revision, so tokens count in thousandths of one. */
const ranks = 1_000n;

/** Rises with every grant of a resource: whoever is granted later has a key of a higher revision, or a higher rank. */
export function tokenOf(created: number, entry: Entry | undefined): bigint {
  return BigInt(created) * ranks + BigInt(entry?.rank ?? 0);
}
