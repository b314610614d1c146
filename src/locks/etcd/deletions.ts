import type { Comparison, Transaction } from './client.js';
import type { KeyUse } from './sight.js';

/** Deletes a key, unless that is gone and another one has its name. One of unknown revision is deleted by its name alone. */
export function deletion({ key, created }: KeyUse): Transaction {
  return deletionIf({ key: Buffer.from(key), target: 'Create', create_revision: String(created) });
}

/** Deletes a key, unless it was written since. */
export function deletionAsIs(key: string | Buffer, modified: number): Transaction {
  return deletionIf({ key: Buffer.from(key), target: 'Mod', mod_revision: String(modified) });
}

function deletionIf(what: Omit<Comparison, 'result'>): Transaction {
  const { key, create_revision, mod_revision } = what;
  const isKnown = (create_revision ?? mod_revision) !== '0';
  return {
    ...(isKnown && { compare: [{ ...what, result: 'Equal' }] }),
    success: [{ request_delete_range: { key } }],
  };
}
