import { type Cancel, type Clock, type Moment, moment, since } from '../../clock.js';
import type { Soon } from '../../soon.js';
import { margin } from '../lease.js';
import { type Calls, mostAtOnce } from './calls.js';
import { deletionAsIs } from './deletions.js';
import { LeaseGone } from './failure.js';

/** What sessions need of their surroundings. */
export interface SessionContext {
  readonly calls: Calls;
  readonly clock: Clock;
  /** The keys of all claims that are known here. */
  readonly keysInUse: () => ReadonlySet<string>;
  /** Told when it is not known whether a key was put, or will be. */
  readonly onDoubt: () => void;
  /** Told once when a session's lease has ended. */
  readonly onGone: (session: Session) => void;
}

/** Milliseconds until a session looks for keys that nobody knows of: after a doubt, and each time after that. */
const audits = [1_000, 3_000, 7_000, 15_000];

/**
 * A lease of etcd that ties the keys of this process to its life: one for all permits and places whose leases last equally
 * long. When the process dies, they all go with it.
 *
 * It has no timer that keeps it alive. Whoever enters or renews leans on it, and has it kept alive if that was too long ago
 * for what is promised; so at rest, with nothing held, there is no traffic, and a session that nobody leans on lapses.
 *
 * If the process stalls, the lease ends on the server, and nothing here is relied on: a permit's own deadline counts from
 * when the last acknowledged keep-alive, or an earlier moment, was *sent*, and is judged by the clock before anything else.
 */
export class Session {
  readonly id: string;
  /** As Go writes it. */
  readonly hex: string;
  /** Milliseconds. */
  readonly duration: number;
  readonly #context: SessionContext;
  readonly #calls: Calls;
  readonly #clock: Clock;
  #gone = false;
  #confirmedAt: Moment;
  #confirming: { readonly sentAt: Moment; readonly answer: Promise<void> } | undefined;
  #audit: Cancel | undefined;
  /** Which of the pauses it is in. */
  #pause: number | undefined;
  /** Whether there was a doubt in this pause. */
  #doubted = false;

  constructor(lease: { id: string; seconds: number }, sentAt: Moment, context: SessionContext) {
    this.id = lease.id;
    this.hex = BigInt(lease.id).toString(16);
    this.duration = lease.seconds * 1_000;
    this.#confirmedAt = sentAt;
    this.#context = context;
    this.#calls = context.calls;
    this.#clock = context.clock;
  }

  /** Whether it stands on the server for certain. */
  get stands(): boolean {
    return !this.#gone && since(this.#clock, this.#confirmedAt) < this.duration;
  }

  /**
   * Sees to it that it stands for `lease` milliseconds from now, but for half of the margin that no holder relies on: so
   * that of many who enter one after the other, few have to ask. Rejects with `LeaseGone`.
   */
  outlast(lease: number, timeout: number): Soon<void> {
    const allowed = this.duration - lease + margin(lease) / 2;
    const isConfirmed = !this.#gone && since(this.#clock, this.#confirmedAt) <= allowed;
    return isConfirmed ? undefined : this.#confirm(allowed, timeout);
  }

  /** Asks whether it stands. Rejects with `LeaseGone`. */
  async ask(timeout: number): Promise<void> {
    await this.#confirm(0, timeout);
  }

  /** Its lease has ended, and with it all keys that are tied to it. */
  end(): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#audit?.();
    this.#context.onGone(this);
  }

  async #confirm(age: number, timeout: number): Promise<void> {
    if (this.#gone) throw new LeaseGone();
    const out = this.#confirming;
    if (out && since(this.#clock, out.sentAt) <= age) return await out.answer;
    const sentAt = moment(this.#clock);
    const confirming = { sentAt, answer: this.#keepAlive(sentAt, timeout) };
    this.#confirming = confirming;
    try {
      await confirming.answer;
    } finally {
      if (this.#confirming === confirming) this.#confirming = undefined;
    }
  }

  async #keepAlive(sentAt: Moment, timeout: number): Promise<void> {
    const seconds = await this.#calls.keepAlive(this.id, timeout);
    if (seconds <= 0) {
      this.end();
      throw new LeaseGone();
    }
    if (sentAt.now > this.#confirmedAt.now) this.#confirmedAt = sentAt;
  }

  /**
   * It is not known whether a key was put: it may be there, or come yet, when whoever asked for it has given it up. So for a
   * while the session looks for keys that are tied to it and that nobody here knows of, and deletes them. Another doubt lets it
   * begin again, but the first look comes no later for that.
   */
  readonly doubt = (): void => {
    this.#context.onDoubt();
    if (this.#gone) return;
    if (this.#pause === audits[0]) this.#doubted = true;
    else this.#auditAfter(audits);
  };

  #auditAfter([pause, ...rest]: readonly number[]): void {
    this.#audit?.();
    this.#audit = undefined;
    this.#pause = pause;
    this.#doubted = false;
    if (pause === undefined) return;
    this.#audit = this.#clock.after(pause, () => {
      this.#auditAfter(this.#doubted ? audits : rest);
      this.#removeStrays().catch(() => {});
    });
  }

  /** A key may come to be known while it is looked at, so it goes only if it is as it was when nobody knew of it. */
  async #removeStrays(): Promise<void> {
    const { keys } = await this.#calls.lookAtLease(this.id, auditTimeout, { keys: true, ...quietly });
    const strays = this.#unknown(keys.map((key) => ({ key }))).slice(0, mostAtOnce);
    if (strays.length === 0) return;
    const success = strays.map(({ key }) => ({ request_range: { key, keys_only: true } }));
    const { responses } = await this.#calls.transact({ success }, auditTimeout, quietly);
    const found = responses.flatMap(({ response_range }) => response_range?.kvs ?? []);
    const ours = this.#unknown(found).filter(({ lease }) => lease === this.id);
    const deletions = ours.map(({ key, mod_revision }) => ({ request_txn: deletionAsIs(key, mod_revision) }));
    if (deletions.length > 0) await this.#calls.transact({ success: deletions }, auditTimeout, quietly);
  }

  #unknown<K extends { readonly key: Buffer }>(keys: readonly K[]): K[] {
    const known = this.#context.keysInUse();
    return keys.filter(({ key }) => !known.has(key.toString()));
  }

  /** Looks at nothing any more. Ends the lease if it is `idle`; else that lapses, with what is tied to it. */
  async close(idle: boolean, timeout: number): Promise<void> {
    this.#audit?.();
    const { stands } = this;
    this.#gone = true;
    if (idle && stands) await this.#calls.revoke(this.id, timeout).catch(() => {});
  }
}

const auditTimeout = 2_000;
const quietly = { quiet: true };
