import { type Cancel, systemClock } from '../../clock.js';
import { Listeners } from '../listeners.js';
import { OwnClaim } from './claim.js';
import { decodeFacts, isOurs } from './facts.js';
import { find } from './find.js';
import { flight } from './nodes.js';
import type { Session } from './session.js';
import { Turns } from './turns.js';

/** Milliseconds until what could not be removed is tried again, though the session was never lost. */
const again = 500;

/**
 * The claims of this side, until when each counts, and whoever wants to be told of them.
 *
 * ZooKeeper ends what a session has made when the session ends, which is when this process has died. While it lives, a
 * claim that nobody asks for any more is removed from here: what is in a session that lives on would stand for ever.
 * Removing is tried until it is known to be done, or the session is over.
 */
export class Claims {
  readonly listeners = new Listeners();
  readonly #turns = new Turns();
  readonly #known = new Map<string, OwnClaim>();
  readonly #onGone: (claim: OwnClaim) => void;
  #timer: Cancel | undefined;
  #wakeAt = Number.POSITIVE_INFINITY;

  /** `onGone`: is called with every claim of which all is gone, removed by us. */
  constructor(onGone: (claim: OwnClaim) => void) {
    this.#onGone = onGone;
  }

  get(key: string): OwnClaim | undefined {
    return this.#known.get(key);
  }

  /** Of one session. */
  *of(session: Session): Generator<OwnClaim> {
    for (const claim of this.#known.values()) if (claim.session === session) yield claim;
  }

  /** Steps that concern these claims, one after the other. */
  turn<T>(keys: readonly string[], step: () => Promise<T>): Promise<T> {
    return this.#turns.take(keys, step);
  }

  add(of: ConstructorParameters<typeof OwnClaim>[0]): OwnClaim {
    const claim = new OwnClaim(of);
    this.#known.set(claim.key, claim);
    this.#schedule(claim.until);
    return claim;
  }

  /** It counts for so many milliseconds from now. */
  extend(claim: OwnClaim, ms: number): void {
    claim.until = performance.now() + ms;
    this.#schedule(claim.until);
  }

  /** Those that have got nothing, and leave nothing. */
  forgetIdle(keys: readonly string[]): void {
    for (const key of keys) {
      const claim = this.#known.get(key);
      if (claim?.nodes.length === 0 && !claim.doubtful) this.forget(claim);
    }
  }

  /** It has no nodes. */
  forget(claim: OwnClaim): void {
    if (this.#known.get(claim.key) === claim) this.#known.delete(claim.key);
  }

  /**
   * Removes its nodes. When that fails it is tried again by itself, and this rejects. In `ms` milliseconds a connection
   * must have come about. False when not all of what it was thought to have was there.
   */
  async leave(claim: OwnClaim, ms: number): Promise<boolean> {
    claim.state = 'leaving';
    try {
      if (!claim.session.connected) await claim.session.ready(ms);
      if (claim.doubtful) await findNodes(claim);
      const removed = await flight(claim.nodes.map((path) => claim.session.requests.remove(path)));
      this.forget(claim);
      this.#onGone(claim);
      return removed.length > 0 && !removed.includes(false);
    } catch (error) {
      if (!claim.session.over) {
        this.extend(claim, again);
        throw error;
      }
      this.forget(claim);
      return false;
    }
  }

  /** The session is over: whoever waits asks again, and gets a new place; whoever holds is told that it is lost. */
  lose(session: Session): void {
    for (const claim of this.of(session)) {
      this.forget(claim);
      this.listeners.call(claim.key);
    }
  }

  /** Requests can be sent again. */
  resume(session: Session): void {
    for (const claim of this.of(session)) {
      if (claim.state === 'leaving') this.extend(claim, 0);
    }
  }

  #schedule(at: number): void {
    if (at >= this.#wakeAt) return;
    this.#timer?.();
    this.#wakeAt = at;
    this.#timer = systemClock.after(at - performance.now(), () => this.#tick());
  }

  #tick(): void {
    this.#wakeAt = Number.POSITIVE_INFINITY;
    const now = performance.now();
    let next = Number.POSITIVE_INFINITY;
    for (const claim of this.#known.values()) {
      if (claim.until > now) {
        next = Math.min(next, claim.until);
        continue;
      }
      this.#lapseInTurn(claim);
    }
    if (next < Number.POSITIVE_INFINITY) this.#schedule(next);
  }

  #lapseInTurn(claim: OwnClaim): void {
    const never = Number.POSITIVE_INFINITY;
    claim.until = never;
    const lapse = async () => {
      // It was asked for before this had its turn.
      if (this.#known.get(claim.key) === claim && claim.until === never) await this.#lapse(claim);
    };
    this.turn([claim.key], lapse).catch(() => {});
  }

  /** Nobody of this side has asked for it in time; but another side may have. */
  async #lapse(claim: OwnClaim): Promise<void> {
    if (claim.state === 'place' || claim.state === 'permit') {
      const left = await this.#leftByOthers(claim).catch(() => 0);
      if (left > 0) return this.extend(claim, left);
    }
    await this.leave(claim, 0);
    this.listeners.call(claim.key);
  }

  /** Milliseconds it still counts for another side that renewed it, by setting its data. */
  async #leftByOthers(claim: OwnClaim): Promise<number> {
    const [first] = claim.nodes;
    const node = first === undefined ? undefined : await claim.session.requests.read(first);
    if (!node || node.stat.version <= claim.version) return 0;
    const facts = decodeFacts(node.data);
    if (!isOurs(facts)) return 0;
    claim.version = node.stat.version;
    claim.facts = facts;
    const ago = Date.now() - node.stat.mtime;
    return (facts.waiting ?? facts.lease) - Math.max(0, ago);
  }

  /** No more come. Those there are still lapse. */
  stop(): void {
    if (this.#known.size === 0) this.#timer?.();
  }
}

/** Removes its nodes, for another's stand for the same claim. It goes on asking. */
export async function withdraw(claim: OwnClaim): Promise<void> {
  await flight(claim.nodes.map((path) => claim.session.requests.remove(path)));
  claim.nodes = [];
}

/** After an answer was lost: what of it is there? It all is of its session, which it ends with. */
export async function findNodes(claim: OwnClaim): Promise<Awaited<ReturnType<typeof find>>> {
  const found = await find(claim.session, claim.paths, claim.facts.id);
  const all = [...found.locks, ...found.places, ...found.leases];
  const stats = await Promise.all(all.map((path) => claim.session.requests.stat(path)));
  const own = new Set(all.filter((_, i) => stats[i]?.ephemeralOwner === claim.session.id));
  const ofOurs = (paths: string[]) => paths.filter((path) => own.has(path));
  claim.nodes = [...own];
  claim.doubtful = false;
  return { locks: ofOurs(found.locks), places: ofOurs(found.places), leases: ofOurs(found.leases) };
}
