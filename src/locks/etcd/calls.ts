import { type Clock, sleep } from '../../clock.js';
import type { Deadlines } from '../../deadlines.js';
import { ClosedError, CoordinatorUnavailableError } from '../../errors.js';
import { inTime } from '../../in-time.js';
import type { Soon } from '../../soon.js';
import type {
  CallDeadline,
  EtcdClient,
  EtcdStream,
  LeaseLeft,
  Transaction,
  TransactionAnswer,
  WatchAnswer,
  WatchRequest,
} from './client.js';
import { finalFailure } from './failure.js';
import type { EtcdSource } from './open.js';

export const kind = 'etcd';

/** As many operations as etcd takes in one transaction, less some: 128 is its default. */
export const mostAtOnce = 100;

/** Milliseconds between attempts: doubled each time, from the first to the last of these. */
const pauses = { first: 25, most: 200 };

/** An attempt gets half of the time that is left, but no less than this, in milliseconds. */
const shortest = 300;

/** What a client takes to notice its own deadline, in milliseconds. */
const courtesy = 20;

/** How it is asked. */
export interface Asking {
  /** Called for each attempt of which it is not known whether it took effect, or will. */
  readonly doubt?: () => void;
  /** Nobody waits for the answer: no process is kept alive for asking again. */
  readonly quiet?: boolean;
}

/**
 * The calls to etcd. Each ends within its `timeout`, in milliseconds, whatever the client library does.
 *
 * Every call here may be repeated, so it is, until it is answered or its time is up: with several members the next attempt
 * goes to another one, and a member that is there but silent uses up half of the time at most. A call that could not be
 * answered rejects with `CoordinatorUnavailableError`: etcd may have done it, or do it yet.
 */
export class Calls {
  /** Told when a member that should answer did not. */
  onSilence: (() => void) | undefined;
  /** Told when etcd's history is not what it was: a backup was restored, or it has lost its data. */
  onTurnedBack: (() => void) | undefined;
  readonly #source: EtcdSource;
  readonly #clock: Clock;
  readonly #deadlines: Deadlines;
  /** The latest that is known. */
  #revision = 0;
  #client: Soon<EtcdClient> | undefined;
  #closed = false;

  constructor(source: EtcdSource, clock: Clock, deadlines: Deadlines) {
    this.#source = source;
    this.#clock = clock;
    this.#deadlines = deadlines;
  }

  async transact(request: Transaction, timeout: number, asking?: Asking): Promise<TransactionAnswer> {
    const before = this.#revision;
    const transact = (client: EtcdClient, deadline: CallDeadline) => client.kv.txn(request, deadline);
    const answer = await this.#repeat(timeout, transact, asking);
    const revision = Number(answer.header.revision);
    if (revision < before) {
      this.#revision = revision;
      this.onTurnedBack?.();
    } else if (revision > this.#revision) this.#revision = revision;
    return answer;
  }

  /** A new lease of so many seconds, or more where the servers know none so short. A lost answer leaves one that lapses. */
  async grant(seconds: number, timeout: number): Promise<{ id: string; seconds: number }> {
    const grant = (client: EtcdClient, deadline: CallDeadline) =>
      client.leaseClient.leaseGrant({ TTL: seconds }, deadline);
    const { ID, TTL } = await this.#repeat(timeout, grant);
    return { id: ID, seconds: Number(TTL) };
  }

  /** Ends a lease, and with it its keys. */
  async revoke(id: string, timeout: number): Promise<void> {
    await this.#repeat(timeout, (client, deadline) => client.leaseClient.leaseRevoke({ ID: id }, deadline));
  }

  /** Starts a lease anew. The seconds it has from now on; 0 when there is no such lease any more. */
  keepAlive(id: string, timeout: number): Promise<number> {
    return this.#repeat(timeout, (client, deadline) => keepAlive(client, id, deadline));
  }

  /** What is left of a lease, and the keys that are tied to it if they are asked for. */
  lookAtLease(
    id: string,
    timeout: number,
    { keys = false, ...asking }: Asking & { readonly keys?: boolean } = {},
  ): Promise<LeaseLeft> {
    const look = (client: EtcdClient, deadline: CallDeadline) =>
      client.leaseClient.leaseTimeToLive({ ID: id, keys }, deadline);
    return this.#repeat(timeout, look, asking);
  }

  async watch(): Promise<EtcdStream<WatchRequest, WatchAnswer>> {
    const client = await this.#open();
    return await client.watchClient.watch();
  }

  async #repeat<T>(
    timeout: number,
    call: (client: EtcdClient, deadline: CallDeadline) => Promise<T>,
    { doubt, quiet = false }: Asking = {},
  ): Promise<T> {
    const end = this.#clock.now() + timeout;
    for (let pause = pauses.first; ; pause = Math.min(2 * pause, pauses.most)) {
      const left = end - this.#clock.now();
      try {
        return await this.#attempt(Math.min(left, Math.max(left / 2, shortest)), call);
      } catch (error) {
        const failure = finalFailure(error, this.#source.name);
        if (failure) throw failure;
        doubt?.();
        if (this.#closed) throw closed();
        if (this.#clock.now() + pause >= end) throw new CoordinatorUnavailableError(kind, { cause: error });
        await sleep(this.#clock, pause, { keepAlive: !quiet });
      }
    }
  }

  async #attempt<T>(
    ms: number,
    call: (client: EtcdClient, deadline: CallDeadline) => Promise<T>,
  ): Promise<T> {
    const began = this.#clock.now();
    const send = (client: EtcdClient) => call(client, { deadline: Date.now() + ms });
    const client = this.#open();
    const answer = client instanceof Promise ? client.then(send) : send(client);
    try {
      return await inTime(
        this.#deadlines,
        answer,
        ms + courtesy,
        () => new Error(`no answer within ${ms} ms`),
      );
    } catch (error) {
      if (this.#clock.now() - began >= ms) this.onSilence?.();
      throw error;
    }
  }

  #open(): Soon<EtcdClient> {
    if (this.#closed) return Promise.reject(closed());
    this.#client ??= this.#begin();
    return this.#client;
  }

  #begin(): Promise<EtcdClient> {
    const client = this.#source.open();
    client.then(
      (opened) => {
        this.#client = opened;
      },
      () => {
        this.#client = undefined;
      },
    );
    return client;
  }

  async close(): Promise<void> {
    this.#closed = true;
    const client = await Promise.resolve(this.#client).catch(() => undefined);
    if (client) this.#source.close(client);
  }
}

const closed = () => new ClosedError('The etcd coordinator');

/**
 * One question on a stream of its own. A stream that stays would have to be trusted to be alive; this one goes to a member
 * that answers, like any call.
 */
async function keepAlive(client: EtcdClient, id: string, deadline: CallDeadline): Promise<number> {
  const stream = await client.leaseClient.leaseKeepAlive(deadline);
  try {
    return await new Promise((resolve, reject) => {
      stream.on('data', ({ TTL }) => resolve(Number(TTL)));
      stream.on('error', reject);
      stream.on('end', () => reject(new Error('the keep-alive was not answered')));
      stream.write({ ID: id });
    });
  } finally {
    stream.end();
  }
}
