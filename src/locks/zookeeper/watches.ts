import type { Listeners } from '../listeners.js';
import type { OwnClaim } from './claim.js';
import type { Session } from './session.js';

/**
 * When a client connects again it names all that it watches in one packet, and a server takes no packet of 1 MB or more
 * (`jute.maxbuffer`): it would cut the connection, again and again. Whoever comes beyond this is not told, and asks.
 */
const mostBytes = 750_000;

interface Watched {
  readonly claims: Map<string, Set<OwnClaim>>;
  readonly guards: Map<string, Guard>;
  bytes: number;
}

/** Stands for a node as it was when the watch on it began: there is none any more once it has changed or gone. */
export type Guard = object;

/**
 * Who is to be told when which node changes or goes. A watch ends with its first event, and cannot be taken back: one that
 * nobody waits for any more is left where it is, and so is known to be there for whoever comes next.
 */
export class Watches {
  readonly #listeners: Listeners;
  readonly #of = new WeakMap<Session, Watched>();

  constructor(listeners: Listeners) {
    this.#listeners = listeners;
  }

  /**
   * Asks with a request that also watches, unless the node is watched already. If it is not there, or there was no answer,
   * it is not watched, which counts as a change.
   */
  ask<T>(
    claim: OwnClaim,
    path: string,
    request: (watch: boolean) => Promise<T | undefined>,
  ): Promise<T | undefined> {
    const watch = this.#add(claim, path);
    const answer = request(watch);
    if (!watch) return answer;
    const tell = () => this.changed(claim.session, path);
    answer.then((found) => found ?? tell(), tell);
    return answer;
  }

  /** Whether it has to be watched for that. */
  #add(claim: OwnClaim, path: string): boolean {
    const watched = this.#watched(claim.session);
    const claims = watched.claims.get(path);
    claim.watching ??= new Set();
    claim.watching.add(path);
    if (claims) {
      claims.add(claim);
      return false;
    }
    if (!takeRoom(watched, path)) return false;
    watched.claims.set(path, new Set([claim]));
    return true;
  }

  /** Tells the claim when the node changes or goes, or is gone already. */
  node(claim: OwnClaim, path: string): void {
    const { requests } = claim.session;
    this.ask(claim, path, async (watch) => (watch ? await requests.read(path, watch) : undefined)).catch(
      () => {},
    );
  }

  /** Watches the node for nobody. It is asked for at once: what is asked behind it is answered behind what it tells. */
  guard(session: Session, path: string): void {
    const watched = this.#watched(session);
    if (watched.guards.has(path) || !takeRoom(watched, path)) return;
    watched.guards.set(path, {});
    const tell = () => this.changed(session, path);
    session.requests.read(path, true).then((found) => found ?? tell(), tell);
  }

  guardOf(session: Session, path: string): Guard | undefined {
    return this.#watched(session).guards.get(path);
  }

  /** Something has happened to the node. */
  changed(session: Session, path: string): void {
    const watched = this.#watched(session);
    if (watched.guards.delete(path)) watched.bytes -= bytesOf(path);
    const claims = watched.claims.get(path);
    if (!claims) return;
    watched.claims.delete(path);
    watched.bytes -= bytesOf(path);
    for (const claim of claims) {
      claim.watching?.delete(path);
      this.#listeners.call(claim.key);
    }
  }

  /** The claim waits for nothing any more. */
  remove(claim: OwnClaim): void {
    const { watching } = claim;
    if (!watching) return;
    const { claims } = this.#watched(claim.session);
    for (const path of watching) claims.get(path)?.delete(claim);
    claim.watching = undefined;
  }

  #watched(session: Session): Watched {
    const known = this.#of.get(session);
    if (known) return known;
    const watched: Watched = { claims: new Map(), guards: new Map(), bytes: 0 };
    this.#of.set(session, watched);
    return watched;
  }
}

/** Takes the room for one more, if there is. */
function takeRoom(watched: Watched, path: string): boolean {
  const bytes = watched.bytes + bytesOf(path);
  if (bytes > mostBytes) return false;
  watched.bytes = bytes;
  return true;
}

/** As it stands in the packet. */
function bytesOf(path: string): number {
  return 4 + Buffer.byteLength(path);
}
