import { moment } from '../../clock.js';
import { LeaseGone } from './failure.js';
import { Session, type SessionContext } from './session.js';

/** The sessions of this process: one for each length of lease, in whole seconds. */
export class Sessions {
  readonly #context: SessionContext;
  readonly #bySeconds = new Map<number, Session>();
  readonly #opening = new Map<number, Promise<Session>>();

  constructor(context: SessionContext) {
    this.#context = context;
  }

  /** A session that lasts for as long as this lease, or longer. */
  async open(lease: number, timeout: number): Promise<Session> {
    const seconds = secondsOf(lease);
    const known = this.#bySeconds.get(seconds);
    if (known?.stands || (known && (await this.#survived(known, timeout)))) return known;
    const opening = this.#opening.get(seconds) ?? this.#begin(seconds, timeout);
    this.#opening.set(seconds, opening);
    try {
      return await opening;
    } finally {
      if (this.#opening.get(seconds) === opening) this.#opening.delete(seconds);
    }
  }

  /** Whether it is the one that `open` gives for such a lease. */
  isFor(session: Session, lease: number): boolean {
    return this.#bySeconds.get(secondsOf(lease)) === session;
  }

  /** Whether this lease is one of theirs. */
  has(id: string): boolean {
    return [...this.#bySeconds.values()].some((session) => session.id === id);
  }

  /** A server that was away, or a new leader, gives every lease its full time once more. */
  async #survived(session: Session, timeout: number): Promise<boolean> {
    try {
      await session.ask(timeout);
      return true;
    } catch (error) {
      if (!(error instanceof LeaseGone)) throw error;
      return false;
    }
  }

  async #begin(seconds: number, timeout: number): Promise<Session> {
    const { calls, clock } = this.#context;
    const sentAt = moment(clock);
    const session = new Session(await calls.grant(seconds, timeout), sentAt, this.#context);
    this.#bySeconds.set(seconds, session);
    return session;
  }

  /** Ends those that nothing is tied to; the others lapse. */
  async close(inUse: ReadonlySet<Session>, timeout: number): Promise<void> {
    const all = [...this.#bySeconds.values()];
    this.#bySeconds.clear();
    await Promise.all(all.map((session) => session.close(!inUse.has(session), timeout)));
  }
}

/** etcd counts in whole seconds, and by default knows no lease shorter than 2. */
export function secondsOf(ms: number): number {
  return Math.min(Math.max(2, Math.ceil(ms / 1_000)), longest);
}

/** The longest lease etcd knows. */
const longest = 9_000_000_000;
