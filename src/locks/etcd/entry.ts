import type { Claim, EnterRequest } from '../coordinator.js';

/** What a key of ours says of itself. Keys of other programs say nothing, or what we do not understand. */
export interface Entry {
  readonly id: string;
  readonly owner: string;
  readonly task?: string;
  readonly message?: string;
  readonly weight: number;
  /** The capacity its owner declared. */
  readonly capacity: number;
  /** Milliseconds. */
  readonly lease: number;
  /** Milliseconds. Of a permit that was had at once, there is none. */
  readonly placeLife?: number;
  /** Milliseconds since 1970, by its owner's clock: etcd has none that it shows. */
  readonly since: number;
  /** Its rank among the keys of one transaction, which share a revision. */
  readonly rank: number;
  /** It holds a permit, whatever the capacity may be by now. */
  readonly held: boolean;
}

/** Says that a value is ours, and how it is to be read. */
const version = 1;

export function encode(entry: Entry): Buffer {
  return Buffer.from(`{"lockkeeper":${version},${JSON.stringify(entry).slice(1)}`);
}

export function decode(value: Buffer): Entry | undefined {
  if (value.length === 0) return undefined;
  try {
    const { lockkeeper, ...entry } = JSON.parse(value.toString());
    return lockkeeper === version && typeof entry.id === 'string' ? (entry as Entry) : undefined;
  } catch {
    return undefined;
  }
}

/** What the entry of a claim says of what it is for. */
export function purpose({ task, message }: Pick<Claim, 'task' | 'message'>): Pick<Entry, 'task' | 'message'> {
  return { ...(task !== undefined && { task }), ...(message !== undefined && { message }) };
}

/** What the key of a new claim says. All of them are of one shape, for V8; what is undefined is not written. */
export function newEntry(
  { owner, weight, capacity, lease, placeLife, line }: EnterRequest,
  claim: Claim,
  { rank, held, since }: Pick<Entry, 'rank' | 'held' | 'since'>,
): Entry {
  const { id, task, message } = claim;
  const life = line ? placeLife : undefined;
  return { id, owner, task, message, weight, capacity, lease, placeLife: life, since, rank, held };
}

/** Whether two entries say the same, so that one need not be written over the other. */
export function same(a: Entry | undefined, b: Entry): boolean {
  const names = Object.keys({ ...a, ...b }) as (keyof Entry)[];
  return a !== undefined && names.every((name) => a[name] === b[name]);
}
