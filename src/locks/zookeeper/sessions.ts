import { ConfigError, CoordinatorUnavailableError } from '../../errors.js';
import { ZooKeeperError } from './error.js';
import { Session, type SessionOptions } from './session.js';
import type { ZooKeeperSource } from './source.js';

/** Of ours that are over, so many are remembered: their nodes are gone when their servers have noticed. */
const mostFormer = 100;

type Listeners = {
  readonly [K in 'onConnected' | 'onOver']: (session: Session) => void;
} & { readonly onChange: (session: Session, path: string) => void };

/**
 * A session for each lease that is asked for, all of them usually the same: much longer, and it would keep what a dead
 * process held; shorter, and it would give it away under a process that believes in its lease.
 *
 * It is a tick longer. The leader ends sessions, and hears who is alive from the other servers, which tell it every half
 * tick. What is asked here goes by way of the leader, so an answer proves that it has heard all that was told before; that
 * may be half a tick old, and a session says something every half tick. So at the moment of an answer the leader last
 * heard of the session no longer ago than a tick, even if the server, or this process with it, is cut off right then.
 */
export class Sessions {
  readonly #source: ZooKeeperSource;
  readonly #tick: number;
  readonly #listeners: Listeners;
  readonly #open = new Map<number, Promise<Session>>();
  readonly #made = new Map<number, Session>();
  readonly #former = new Set<bigint>();
  #ended = false;

  /** `tick`: of the servers, in milliseconds. */
  constructor(source: ZooKeeperSource, tick: number, listeners: Listeners) {
    this.#source = source;
    this.#tick = tick;
    this.#listeners = listeners;
  }

  /** The session for a lease, if it can be asked at once. */
  ready(lease: number): Session | undefined {
    const session = this.#ended ? undefined : this.#made.get(this.#keyOf(lease));
    return session?.connected && this.#suits(session, lease) ? session : undefined;
  }

  /** The session for a lease, connected. Rejects with `ConfigError` where the server bounds sessions otherwise. */
  async of(lease: number, timeout: number): Promise<Session> {
    const session = await this.#get(lease);
    await session.ready(timeout);
    if (this.#suits(session, lease)) return session;
    const { granted } = session;
    const needed = lease + this.#tick;
    if (this.#source.owned) {
      throw new ConfigError(
        `ZooKeeper made a session of ${granted} ms where a lease of ${lease} ms needs one of ${needed} ms: give the ` +
          'resource a `lease` within the `minSessionTimeout` and `maxSessionTimeout` of the servers',
      );
    }
    throw new ConfigError(
      `The client that was handed over has a session of ${granted} ms, and a lease of ${lease} ms needs one of ` +
        `${needed} ms: shorten the \`lease\`, or make the client with a longer \`sessionTimeout\``,
    );
  }

  /** Servers may grant another time than was asked for, each time the client connects. */
  #suits({ granted }: Session, lease: number): boolean {
    const needed = lease + this.#tick;
    return this.#source.owned ? granted === needed : granted >= needed;
  }

  /** Any session, for what is asked once. */
  async any(timeout: number): Promise<Session> {
    const [first] = this.#open.values();
    const session = await (first ?? this.#get(usual));
    await session.ready(timeout);
    return session;
  }

  isFormer(session: bigint): boolean {
    return this.#former.has(session);
  }

  #get(lease: number): Promise<Session> {
    // A step that waited for another may come here when all is over.
    if (this.#ended) return Promise.reject(new ZooKeeperError('SESSION_EXPIRED'));
    const key = this.#keyOf(lease);
    const known = this.#open.get(key);
    if (known) return known;
    const opening = this.#begin(key, lease);
    this.#open.set(key, opening);
    opening.catch(() => this.#open.delete(key));
    return opening;
  }

  /** A client that was handed over has one session, whatever is asked for. */
  #keyOf(lease: number): number {
    return this.#source.owned ? lease : 0;
  }

  async #begin(key: number, lease: number): Promise<Session> {
    const { owned } = this.#source;
    if (!owned && this.#former.size > 0) throw expired();
    const client = await this.#source.open(lease + this.#tick);
    const { onChange, onConnected, onOver } = this.#listeners;
    const options: SessionOptions = {
      timeout: owned ? lease + this.#tick : client.getSessionTimeout(),
      beat: this.#tick / 2,
      owned,
      onChange: (path) => onChange(session, path),
      onConnected: () => onConnected(session),
      onOver: () => {
        this.#open.delete(key);
        this.#made.delete(key);
        this.#remember(session.id);
        onOver(session);
      },
    };
    const session: Session = new Session(client, options);
    this.#made.set(key, session);
    return session;
  }

  #remember(session: bigint): void {
    this.#former.add(session);
    if (this.#former.size <= mostFormer) return;
    const [oldest] = this.#former;
    this.#former.delete(oldest as bigint);
  }

  /** No more are opened. Those that are open, or were being opened. */
  async end(): Promise<Session[]> {
    this.#ended = true;
    const opened = await Promise.allSettled(this.#open.values());
    return opened.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  }
}

/** Milliseconds. */
const usual = 15_000;

function expired(): CoordinatorUnavailableError {
  const cause = new Error(
    'the session of the client that was handed over is over, and so is the client: hand over a function that makes clients, or a URL',
  );
  return new CoordinatorUnavailableError('zookeeper', { cause });
}
