import type {
  Comparison,
  KeyRange,
  KeyValue,
  LeaseGranted,
  LeaseLeft,
  Operation,
  Put,
  Transaction,
  TransactionAnswer,
  WatchAnswer,
  WatchEvent,
} from '../../src/locks/etcd/client.js';
import type { Random } from './random.js';
import type { Timeline } from './timeline.js';

export interface Stored {
  readonly key: string;
  readonly value: Buffer;
  readonly created: number;
  readonly modified: number;
  readonly lease: string;
}

interface Lease {
  readonly ms: number;
  readonly keys: Set<string>;
  endsAt: number;
}

/** Somebody who is told what happens to some keys, on a stream of his own. */
export interface Watcher {
  readonly id: string;
  readonly range: KeyRange;
  readonly tell: (answer: WatchAnswer) => void;
}

/** How long after its end a lease is revoked at the latest, in milliseconds. */
const latest = 700;

/**
 * An etcd that is played: keys with their revisions, transactions, leases and watches, as far as this package uses them. Not
 * in place of a real one, for which every test of the coordinator has its own, but so that what comes late, or never, comes
 * so in thousands of orders, each of which can be had once more.
 */
export class PlayedEtcd {
  /** Told of what is gone. */
  onDeleted: (stored: Stored) => void = () => {};
  readonly #time: Timeline;
  readonly #random: Random;
  readonly #keys = new Map<string, Stored>();
  readonly #leases = new Map<string, Lease>();
  readonly #watchers = new Set<Watcher>();
  #history: WatchEvent[] = [];
  #forgotten = 0;
  #revision = 1;
  #lastLease = 7_000_000_000_000_000_000n;
  #stands = false;

  constructor(time: Timeline, random: Random) {
    this.#time = time;
    this.#random = random;
  }

  get now(): number {
    return this.#time.now;
  }

  get keys(): Stored[] {
    return [...this.#keys.values()];
  }

  /** Time does not pass for leases. */
  stop(): void {
    this.#stands = true;
  }

  /** What ended meanwhile goes, at once or soon; or, after a start or an election, every lease begins anew. */
  goOn(anew: boolean): void {
    this.#stands = false;
    for (const [id, lease] of this.#leases) {
      if (anew) lease.endsAt = this.#time.now + lease.ms;
      if (lease.endsAt <= this.#time.now && this.#random.chance(0.5)) this.revoke(id);
      else this.#endLater(id, lease);
    }
  }

  transact(transaction: Transaction): TransactionAnswer {
    this.#mustHaveLeases(transaction);
    const events: WatchEvent[] = [];
    const { succeeded, responses } = this.#carryOut(transaction, this.#revision + 1, events);
    this.#tell(events);
    return { header: { revision: String(this.#revision) }, succeeded, responses };
  }

  grant(seconds: number): LeaseGranted {
    const id = String(++this.#lastLease);
    const ms = Math.max(2, seconds) * 1_000;
    const lease = { ms, keys: new Set<string>(), endsAt: this.#time.now + ms };
    this.#leases.set(id, lease);
    this.#endLater(id, lease);
    return { ID: id, TTL: String(ms / 1_000) };
  }

  /** Seconds; 0 when it is gone. */
  keepAlive(id: string): { TTL: string } {
    const lease = this.#leases.get(id);
    if (!lease) return { TTL: '0' };
    lease.endsAt = this.#time.now + lease.ms;
    return { TTL: String(lease.ms / 1_000) };
  }

  left(id: string): LeaseLeft {
    const lease = this.#leases.get(id);
    if (!lease) return { TTL: '-1', keys: [] };
    const seconds = Math.max(0, Math.floor((lease.endsAt - this.#time.now) / 1_000));
    return { TTL: String(seconds), keys: [...lease.keys].map((key) => Buffer.from(key)) };
  }

  revoke(id: string): void {
    const lease = this.#leases.get(id);
    if (!lease) throw leaseGone();
    this.#leases.delete(id);
    const events: WatchEvent[] = [];
    for (const key of lease.keys) this.#delete(key, this.#revision + 1, events);
    this.#tell(events);
  }

  /** Forgets what is past. */
  compact(): void {
    this.#forgotten = this.#revision;
    this.#history = [];
  }

  watch(watcher: Watcher, from: number): void {
    const { id: watch_id, range, tell } = watcher;
    if (from <= this.#forgotten) {
      tell({ watch_id, canceled: true, events: [] });
      return;
    }
    this.#watchers.add(watcher);
    tell({ watch_id, canceled: false, events: [] });
    const past = this.#history.filter(({ kv }) => Number(kv.mod_revision) >= from && isIn(range, kv.key));
    if (past.length > 0) tell({ watch_id, canceled: false, events: past });
  }

  unwatch(watcher: Watcher): void {
    this.#watchers.delete(watcher);
  }

  #mustHaveLeases({ success = [], failure = [] }: Transaction): void {
    for (const operation of [...success, ...failure]) {
      if (!('request_put' in operation)) continue;
      const { lease = '0' } = operation.request_put;
      if (lease !== '0' && !this.#leases.has(lease)) throw leaseGone();
    }
  }

  #carryOut(
    { compare = [], success = [], failure = [] }: Transaction,
    revision: number,
    events: WatchEvent[],
  ): Pick<TransactionAnswer, 'succeeded' | 'responses'> {
    const succeeded = compare.every((comparison) => this.#holds(comparison));
    const operations = succeeded ? success : failure;
    return {
      succeeded,
      responses: operations.map((operation) => this.#operate(operation, revision, events)),
    };
  }

  #operate(
    operation: Operation,
    revision: number,
    events: WatchEvent[],
  ): TransactionAnswer['responses'][number] {
    if ('request_range' in operation)
      return { response_range: { kvs: this.#in(operation.request_range).map(kvOf) } };
    if ('request_txn' in operation) this.#carryOut(operation.request_txn, revision, events);
    else if ('request_put' in operation) this.#put(operation.request_put, revision, events);
    else for (const { key } of this.#in(operation.request_delete_range)) this.#delete(key, revision, events);
    return {};
  }

  /** Where no key is there, revisions are 0. */
  #holds({ target, result, range_end, ...about }: Comparison): boolean {
    const wanted = Number(about.create_revision ?? about.mod_revision);
    const there = this.#in({ key: about.key, ...(range_end && { range_end }) });
    const nothing = { created: 0, modified: 0 };
    const compared = there.length === 0 ? [nothing] : there;
    return compared.every(({ created, modified }) => {
      const found = { Create: created, Mod: modified }[target];
      return result === 'Equal' ? found === wanted : found < wanted;
    });
  }

  #in(range: KeyRange): Stored[] {
    if (!range.range_end) {
      const stored = this.#keys.get(range.key.toString());
      return stored ? [stored] : [];
    }
    return [...this.#keys.values()].filter(({ key }) => isIn(range, Buffer.from(key)));
  }

  #put({ key: name, value, lease = '0' }: Put, modified: number, events: WatchEvent[]): void {
    const key = name.toString();
    const before = this.#keys.get(key);
    const created = before?.created ?? modified;
    const stored = { key, value: Buffer.from(value), created, modified, lease };
    if (before) this.#leases.get(before.lease)?.keys.delete(key);
    this.#leases.get(lease)?.keys.add(key);
    this.#keys.set(key, stored);
    events.push({ type: 'Put', kv: kvOf(stored) });
  }

  #delete(key: string, revision: number, events: WatchEvent[]): void {
    const stored = this.#keys.get(key);
    if (!stored) return;
    this.#keys.delete(key);
    this.#leases.get(stored.lease)?.keys.delete(key);
    const gone = { key, value: Buffer.alloc(0), created: 0, modified: revision, lease: '0' };
    events.push({ type: 'Delete', kv: kvOf(gone) });
    this.onDeleted(stored);
  }

  #tell(events: readonly WatchEvent[]): void {
    if (events.length === 0) return;
    this.#revision++;
    this.#history.push(...events);
    for (const { id, range, tell } of this.#watchers) {
      const told = events.filter(({ kv }) => isIn(range, kv.key));
      if (told.length > 0) tell({ watch_id: id, canceled: false, events: told });
    }
  }

  /** When its time is up, or some time after that. */
  #endLater(id: string, lease: Lease): void {
    const late = this.#random.between(0, latest);
    this.#time.after(lease.endsAt + late - this.#time.now, () => {
      if (this.#stands || this.#leases.get(id) !== lease) return;
      if (this.#time.now < lease.endsAt) this.#endLater(id, lease);
      else this.revoke(id);
    });
  }
}

const leaseGone = () => new Error('5 NOT_FOUND: etcdserver: requested lease not found');

function isIn({ key, range_end }: KeyRange, name: Buffer): boolean {
  return range_end ? key.compare(name) <= 0 && range_end.compare(name) > 0 : key.equals(name);
}

function kvOf({ key, value, created, modified, lease }: Stored): KeyValue {
  return {
    key: Buffer.from(key),
    value,
    create_revision: String(created),
    mod_revision: String(modified),
    lease,
  };
}
