import type { Comparison, Transaction } from './client.js';
import type { KeyUse } from './sight.js';

/** Deletes a key, unless that is gone and another one has its name. One of unknown revision is deleted by its name alone. */
export function deletion({ key: name, created }: KeyUse): Transaction {
  const key = Buffer.from(name);
  if (created === 0) return deletionIf([], key);
  return deletionIf([{ key, target: 'Create', result: 'Equal', create_revision: String(created) }], key);
}

/** Deletes a key, unless it was written since. */
export function deletionAsIs(name: string | Buffer, modified: number): Transaction {
  const key = Buffer.from(name);
  if (modified === 0) return deletionIf([], key);
  return deletionIf([{ key, target: 'Mod', result: 'Equal', mod_revision: String(modified) }], key);
}

function deletionIf(compare: Comparison[], key: Buffer): Transaction {
  return { compare, success: [{ request_delete_range: { key } }] };
}
