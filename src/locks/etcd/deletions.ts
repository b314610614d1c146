import type { Comparison, Transaction } from './client.js';
import type { KeyUse } from './sight.js';

/**
 * Deletes a key, unless that is gone and another one has its name. One of unknown revision can but be meant by its name: it
 * is deleted unless it was written since it was put.
 */
export function deletion({ key: name, created }: KeyUse): Transaction {
  const key = Buffer.from(name);
  if (created === 0) return deletionIf(asFirstPut(key));
  return deletionIf({ key, target: 'Create', result: 'Equal', create_revision: String(created) });
}

/** Deletes a key, unless it was written since. */
export function deletionAsIs(name: string | Buffer, modified: number): Transaction {
  const key = Buffer.from(name);
  if (modified === 0) return deletionIf(asFirstPut(key));
  return deletionIf({ key, target: 'Mod', result: 'Equal', mod_revision: String(modified) });
}

function asFirstPut(key: Buffer): Comparison {
  return { key, target: 'Version', result: 'Less', version: '2' };
}

function deletionIf(isMeant: Comparison): Transaction {
  return { compare: [isMeant], success: [{ request_delete_range: { key: isMeant.key } }] };
}
