/**
 * What this package uses of etcd3: an `Etcd3` is one, also that of another copy of the library.
 *
 * Its builders, leases, locks and watchers are not used. A call is made with a deadline of its own, streams are opened
 * bare, and whether a lease still stands is never its business.
 */
export interface EtcdClient {
  readonly kv: {
    txn(request: Transaction, options?: CallDeadline): Promise<TransactionAnswer>;
  };
  readonly leaseClient: {
    leaseGrant(request: { TTL: number }, options?: CallDeadline): Promise<LeaseGranted>;
    leaseRevoke(request: { ID: string }, options?: CallDeadline): Promise<unknown>;
    leaseTimeToLive(request: { ID: string; keys?: boolean }, options?: CallDeadline): Promise<LeaseLeft>;
    leaseKeepAlive(options?: CallDeadline): Promise<EtcdStream<{ ID: string }, { TTL: string }>>;
  };
  readonly watchClient: {
    watch(): Promise<EtcdStream<WatchRequest, WatchAnswer>>;
  };
}

export interface CallDeadline {
  /** Milliseconds since 1970. */
  deadline?: number;
}

/** The keys from `key` up to, and without, `range_end`; without that the one key. */
export interface KeyRange {
  readonly key: Buffer;
  readonly range_end?: Buffer;
}

export interface Transaction {
  compare?: Comparison[];
  success?: Operation[];
  failure?: Operation[];
}

/** Of a range, all keys that are there must satisfy it. A key that is not there has revisions of 0. */
export interface Comparison extends KeyRange {
  readonly target: 'Create' | 'Mod';
  readonly result: 'Equal' | 'Less';
  readonly create_revision?: string;
  readonly mod_revision?: string;
}

export type Operation =
  | { readonly request_range: KeyRange & { readonly keys_only?: boolean } }
  | { readonly request_put: Put }
  | { readonly request_txn: Transaction }
  | { readonly request_delete_range: KeyRange & { readonly prev_kv?: boolean } };

export interface Put {
  readonly key: Buffer;
  readonly value: Buffer;
  /** A decimal number. Absent, the key stays until it is deleted. */
  readonly lease?: string;
  readonly prev_kv?: boolean;
}

export interface TransactionAnswer {
  readonly header: { readonly revision: string };
  readonly succeeded: boolean;
  readonly responses: readonly {
    readonly response_range?: { readonly kvs: readonly KeyValue[] } | null;
    readonly response_put?: { readonly prev_kv?: KeyValue | null } | null;
    readonly response_delete_range?: { readonly prev_kvs: readonly KeyValue[] } | null;
  }[];
}

export interface KeyValue {
  readonly key: Buffer;
  readonly value: Buffer;
  readonly create_revision: string;
  readonly mod_revision: string;
  readonly lease: string;
}

export interface LeaseGranted {
  readonly ID: string;
  /** Whole seconds; it may be more than was asked for. */
  readonly TTL: string;
}

export interface LeaseLeft {
  /** Whole seconds; -1 when there is no such lease. */
  readonly TTL: string;
  readonly keys: readonly Buffer[];
}

export interface EtcdStream<Request, Answer> {
  on(event: 'data', listener: (answer: Answer) => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
  on(event: 'end', listener: () => void): unknown;
  write(request: Request): unknown;
  end(): unknown;
  cancel(): void;
}

export interface WatchRequest {
  create_request?: KeyRange & { readonly watch_id: string; readonly start_revision: string };
  cancel_request?: { readonly watch_id: string };
}

export interface WatchAnswer {
  readonly watch_id: string;
  /** Nothing follows. */
  readonly canceled: boolean;
  readonly events: readonly WatchEvent[];
}

export interface WatchEvent {
  readonly type: string;
  readonly kv: KeyValue;
}

/** Whether something that was handed over can be used as a client. */
export function isEtcdClient(value: unknown): value is EtcdClient {
  const client = value as Partial<EtcdClient> | null | undefined;
  return (
    typeof client?.kv?.txn === 'function' &&
    typeof client.leaseClient?.leaseGrant === 'function' &&
    typeof client.watchClient?.watch === 'function'
  );
}
