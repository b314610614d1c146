import type { Comparison, Transaction } from './client.js';
import type { KeyUse } from './sight.js';

/** Deletes a key, unless that is gone and another one has its name. */
export function deletion({ key, created }: KeyUse): Transaction {
  return deletionIf({
    key: Buffer.from(key),
    target: 'Create',
    result: 'Equal',
    create_revision: String(created),
  });
}

/** Deletes a key, unless it was written since that revision. */
export function deletionAsIs(key: Buffer, modified: string): Transaction {
  return deletionIf({ key, target: 'Mod', result: 'Equal', mod_revision: modified });
}

function deletionIf(isMeant: Comparison): Transaction {
  return { compare: [isMeant], success: [{ request_delete_range: { key: isMeant.key } }] };
}
