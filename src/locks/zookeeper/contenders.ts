import { createHash } from 'node:crypto';
import type { LockLayout } from './layout.js';

/** Whoever stands in the line of a lock, as a node. */
export interface Contender {
  readonly name: string;
  /** Who: the same for both nodes of a claim in the layout `both`. */
  readonly who: string;
  readonly sequence: number;
}

/**
 * What stands before the number: of kazoo's Lock, ReadLock and WriteLock, and of Curator's mutex and read-write lock.
 * Whoever holds any of them is waited for.
 */
const pattern = /(?:__r?lock__|-?lock-|-?__(?:WRIT|READ)__)(-\d{9,10}|\d{10})$/;

/**
 * Names our nodes: the same for the same claim, so that one whose answer was lost is known again. The ids that are minted
 * here fit into it as they are; no text has the byte that fills it up.
 */
export function guidOf(id: string): string {
  const bytes = Buffer.from(id);
  if (bytes.length <= 16) return bytes.toString('hex').padEnd(32, 'f');
  return createHash('sha256').update(bytes).digest('hex').slice(0, 32);
}

/** The names of a claim's nodes, up to their numbers. */
export function contenderNames(guid: string, layout: LockLayout): string[] {
  if (layout === 'lock') return [`${guid}__lock__`];
  const dashed = guid.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
  if (layout === 'curator') return [`_c_${dashed}-lock-`];
  // Curator takes a name that it does not know as a whole, and sorts it among the numbers: it must begin behind `9`.
  return [`_c_${guid}__lock__`, `_c_${dashed}-lock-`];
}

/** The contenders among the children, first come first. */
export function contendersOf(children: readonly string[]): Contender[] {
  const contenders: Contender[] = [];
  for (const name of children) {
    const found = pattern.exec(name);
    if (!found) continue;
    contenders.push({ name, who: whoOf(name.slice(0, found.index)), sequence: Number(found[1]) | 0 });
  }
  return contenders.sort((a, b) => (a.sequence - b.sequence) | 0);
}

function whoOf(before: string): string {
  return before.startsWith('_c_') ? before.slice(3).replaceAll('-', '') : before;
}

/** Claims ahead of the contender of this name. */
export function claimsAhead(contenders: readonly Contender[], name: string | undefined): number {
  const index = contenders.findIndex((one) => one.name === name);
  return new Set(contenders.slice(0, index).map(({ who }) => who)).size;
}

/**
 * A parent counts its children for as long as it lives, and after 2^31 of them the numbers go on below zero. We know how
 * to compare those; kazoo and Curator do not.
 */
const manySequences = String(2 ** 30);
let warned = false;

export function warnOfManySequences(path: string): void {
  if (warned || path.slice(-10) < manySequences) return;
  warned = true;
  process.emitWarning(
    `${path} is the child of a node that has had 2^30 children. After 2^31 kazoo and Curator will not keep the order any ` +
      'more: give the resource another name before that, or remove the parent while nobody uses it',
    { type: 'LockkeeperWarning', code: 'LOCKKEEPER_ZOOKEEPER_SEQUENCE' },
  );
}
