import { Listeners } from '../listeners.js';
import type { WatchEvent } from './client.js';
import type { Entry } from './entry.js';
import type { ResourceKeys } from './keys.js';
import { Names } from './names.js';
import type { Session } from './session.js';
import type { Contender, KeyUse, Sight } from './sight.js';

/** A claim of this process, and its key: a permit or a place, or what was asked for and not yet answered. */
export interface OwnClaim extends KeyUse {
  readonly id: string;
  /** The session its key is tied to; that of another side until it is taken over. */
  session: Session | undefined;
  /** What it says of itself. */
  entry: Entry;
  /** What its key says, as far as is known: something else than `entry` when that is still to be told. */
  written: Entry | undefined;
  /** Revisions; 0 until the key is known to be there. */
  created: number;
  modified: number;
  /** It has been granted to whoever asked. */
  granted: boolean;
  /** It waits for its turn. */
  waits: boolean;
  /** It is being given back. */
  leaving: boolean;
  /** On the clock's `now`: when it was last asked for or renewed. */
  since: number;
  /** The same: then it lapses, unless it was asked for or renewed again. */
  until: number;
}

/** What is known here of one resource. */
export class Resource {
  readonly name: string;
  readonly keys: ResourceKeys;
  readonly names = new Names();
  readonly listeners = new Listeners();
  readonly claims = new Map<string, OwnClaim>();
  /** Who stands there, if that was ever told. */
  sight: Sight | undefined;
  /** Whether what is known of it is kept up to date. */
  watched = false;
  /**
   * On the clock's `now`: until then the line and the settings may be known as they were at different moments, for etcd tells
   * of each by itself what was missed.
   */
  catchesUpUntil = Number.NEGATIVE_INFINITY;
  /** Up to this revision the watch has told what happened, whether anything was known then that it could add to or not. */
  #toldAt = 0;
  /** Steps that are under way. */
  steps = 0;

  constructor(name: string, keys: ResourceKeys) {
    this.name = name;
    this.keys = keys;
  }

  /** Whether somebody here wants to hear of it. */
  get interesting(): boolean {
    if (this.claims.size === 0) return false;
    if (this.listeners.size > 0) return true;
    for (const { waits } of this.claims.values()) if (waits) return true;
    return false;
  }

  get idle(): boolean {
    return !this.watched && this.claims.size === 0 && this.listeners.size === 0 && this.steps === 0;
  }

  /** The claim is none of this side's any more. */
  drop(claim: OwnClaim): void {
    if (this.claims.get(claim.id) === claim) this.claims.delete(claim.id);
  }

  /** A claim that was known here is gone, and its key with it. */
  gone(claim: OwnClaim): void {
    this.drop(claim);
    this.names.giveBack(claim.key);
  }

  /** A key was deleted. */
  removed(use: KeyUse): void {
    for (const claim of this.claims.values()) if (isSame(claim, use)) this.gone(claim);
    this.sight?.left(use);
  }

  /** What a transaction has shown, unless something later is known, or was told: nobody would tell it once more. */
  see(sight: Sight): void {
    if (Math.max(this.sight?.lineAt ?? 0, this.#toldAt) > sight.lineAt) return;
    this.sight = sight;
    this.#loseWhatIsGone(sight);
  }

  /** True when an event of the line says anything new. */
  lineChanged(event: WatchEvent): boolean {
    this.#told(event);
    if (event.type.toLowerCase() === 'delete') {
      const key = event.kv.key.toString();
      const at = Number(event.kv.mod_revision);
      for (const claim of this.claims.values()) {
        const wasThere = claim.created > 0 && claim.created < at;
        if (claim.key === key && wasThere) this.#lose(claim);
      }
    }
    return this.sight?.lineChanged(event) ?? true;
  }

  /** True when it says anything new. */
  settingsChanged(event: WatchEvent): boolean {
    this.#told(event);
    return this.sight?.settingsChanged(event) ?? false;
  }

  #told({ kv }: WatchEvent): void {
    this.#toldAt = Math.max(this.#toldAt, Number(kv.mod_revision));
  }

  /** Nobody keeps up to date from here on what is known of it. */
  unwatched(): void {
    this.watched = false;
    this.catchesUpUntil = Number.NEGATIVE_INFINITY;
    this.sight = undefined;
    this.#toldAt = 0;
  }

  #loseWhatIsGone(sight: Sight): void {
    for (const claim of this.claims.values()) {
      const shouldBeThere = claim.created > 0 && claim.created <= sight.lineAt;
      if (shouldBeThere && !sight.has(claim)) this.#lose(claim);
    }
  }

  #lose(claim: OwnClaim): void {
    this.gone(claim);
    this.listeners.call(claim.id);
  }

  /** The session's lease has ended, and with it all of its claims that no other side has taken over. */
  loseAll(session: Session): void {
    for (const claim of this.claims.values()) {
      if (claim.session !== session) continue;
      this.sight = undefined;
      this.#lose(claim);
    }
  }

  /** Calls those whose turn it may be, and those who stand there in vain. Returns the latter. */
  callWhoMayEnter(): OwnClaim[] {
    const tooHeavy: OwnClaim[] = [];
    const { sight } = this;
    if (!sight) return tooHeavy;
    const places = new Map<string, OwnClaim>();
    for (const claim of this.claims.values()) if (claim.waits && !claim.leaving) places.set(claim.key, claim);
    if (places.size === 0) return tooHeavy;
    for (const { contender, held } of sight.survey()) {
      const claim = places.get(contender.key);
      if (claim?.created !== contender.created) continue;
      const heavy = claim.entry.weight > sight.inForce(claim.entry.capacity);
      if (heavy) tooHeavy.push(claim);
      if (held || heavy) this.listeners.call(claim.id);
    }
    return tooHeavy;
  }
}

/** Whether both are one key. */
function isSame(claim: OwnClaim, { key, created }: KeyUse): boolean {
  return claim.key === key && claim.created === created;
}

/** The contender that a claim of this process is, once its key is there. */
export function asContender({ key, created, modified, session, written }: OwnClaim): Contender {
  return { key, created, modified, lease: session?.id ?? '0', entry: written };
}
