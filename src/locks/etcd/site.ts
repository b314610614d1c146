import type { Clock } from '../../clock.js';
import { Deadlines } from '../../deadlines.js';
import type { Soon } from '../../soon.js';
import type { Grant } from '../coordinator.js';
import { Book } from './book.js';
import { type Asking, Calls } from './calls.js';
import type { KeyValue } from './client.js';
import { deletionAsIs } from './deletions.js';
import { decode, type Entry, encode } from './entry.js';
import { LeaseGone } from './failure.js';
import { NameSeries } from './names.js';
import type { EtcdSource } from './open.js';
import type { OwnClaim, Resource } from './resource.js';
import type { Session } from './session.js';
import { Sessions } from './sessions.js';
import { type Contender, type Sight, seen } from './sight.js';
import { tokenOf } from './token.js';
import { WatchStream } from './watch-stream.js';
import { Watches } from './watches.js';

/** Of what nobody waits for, in milliseconds. */
const quietTimeout = 2_000;

const quietly = { quiet: true };

/** How long closing waits for sessions to be ended, in milliseconds. */
const farewell = 500;

/** What the steps of one side share: its calls, its sessions, and what it knows. */
export class Site {
  readonly clock: Clock;
  /** Of steps and calls, nearly all of which are over in time. They outlast closing, as what is out then must end too. */
  readonly deadlines: Deadlines;
  readonly calls: Calls;
  readonly sessions: Sessions;
  readonly book: Book;
  readonly watches: Watches;
  readonly #series = new NameSeries();

  constructor(source: EtcdSource, prefix: string, clock: Clock) {
    this.clock = clock;
    this.deadlines = new Deadlines(clock);
    this.calls = new Calls(source, clock, this.deadlines);
    this.book = new Book(prefix, clock);
    this.sessions = new Sessions({
      calls: this.calls,
      clock,
      keysInUse: () => this.book.keys,
      onDoubt: () => this.#series.retire(),
      onGone: (session) => this.book.lose(session),
    });
    const stream = new WatchStream(this.calls, clock);
    this.calls.onSilence = stream.suspect;
    this.calls.onTurnedBack = () => {
      this.#series.retire();
      for (const resource of this.book.all) this.watches.lookAgain(resource);
    };
    this.book.onLapse = this.lapse;
    this.watches = new Watches(stream, clock, {
      look: (resource) => this.look(resource, quietTimeout, quietly),
      onTooHeavy: this.lapse,
      onQuiet: (resource) => this.book.forgetIfIdle(resource),
    });
  }

  /** Asks etcd who stands there. */
  async look(resource: Resource, timeout: number, asking?: Asking): Promise<Sight> {
    const answer = await this.calls.transact({ success: resource.keys.look }, timeout, asking);
    return this.notice(resource, seen(resource.keys, answer));
  }

  /** Takes notice of what a transaction has shown, on behalf of all who wait here. */
  notice(resource: Resource, sight: Sight): Sight {
    resource.see(sight);
    this.watches.review(resource);
    this.watches.attend(resource);
    return sight;
  }

  /**
   * Under this name a claim's key is put. One that was asked for before, and not answered, has its key already; unless it was
   * given up meanwhile, for then that is to be deleted.
   */
  keyOf(resource: Resource, id: string, { hex }: Session): string {
    const known = resource.claims.get(id);
    if (known && !known.leaving) return known.key;
    return resource.names.take(resource.keys.below + hex, this.#series);
  }

  /** To be called before a claim is given up: unless its key was answered for, it may come when nobody knows of it any more. */
  mayBePutYet({ created, session }: OwnClaim): void {
    if (created === 0) session?.doubt();
  }

  /** Another key has the name of this claim's: one that was put late, or that another side has. */
  nameIsTaken(resource: Resource, claim: OwnClaim): void {
    claim.session?.doubt();
    resource.drop(claim);
  }

  /** Known before etcd is asked, so that whatever becomes of the question, its key can be deleted. */
  claim(resource: Resource, entry: Entry, key: string, session?: Session): OwnClaim {
    const claim: OwnClaim = {
      id: entry.id,
      key,
      session,
      entry,
      written: undefined,
      created: 0,
      modified: 0,
      granted: false,
      waits: false,
      leaving: false,
      since: Number.NEGATIVE_INFINITY,
      until: Number.POSITIVE_INFINITY,
    };
    resource.claims.set(claim.id, claim);
    return claim;
  }

  /** The claim's key is there. What was written before what is known of it says nothing new. */
  found(
    claim: OwnClaim,
    { created, modified, entry }: Pick<Contender, 'created' | 'modified' | 'entry'>,
  ): void {
    if (created === claim.created && modified < claim.modified) return;
    claim.created = created;
    claim.modified = modified;
    claim.written = entry;
  }

  /** It holds a permit for `lease` milliseconds from `since`, a moment on the clock. */
  grant(claim: OwnClaim, lease: number, since: number): Grant {
    claim.granted = true;
    claim.waits = false;
    if (!claim.entry.held) claim.entry = { ...claim.entry, held: true, since: Math.round(this.clock.wall()) };
    this.book.extend(claim, since, lease);
    return { id: claim.id, token: tokenOf(claim.created, claim.entry), lease };
  }

  /** It waits for its turn, for `life` milliseconds from `since` unless it asks again. */
  queue(resource: Resource, claim: OwnClaim, life: number, since: number): void {
    claim.waits = true;
    this.book.extend(claim, since, life);
    this.watches.attend(resource);
  }

  /** Writes what the claim says of itself, and ties its key to the session. False when its key is gone. */
  async write(resource: Resource, claim: OwnClaim, session: Session, timeout: number): Promise<boolean> {
    const { entry } = claim;
    const key = Buffer.from(claim.key);
    const request_put = { key, value: encode(entry), lease: session.id };
    const { succeeded, header } = await this.calls.transact(
      {
        compare: [{ key, target: 'Create', result: 'Equal', create_revision: String(claim.created) }],
        success: [{ request_put }],
      },
      timeout,
    );
    if (succeeded) this.found(claim, { ...claim, modified: Number(header.revision), entry });
    else resource.removed(claim);
    return succeeded;
  }

  /** A step that relies on a session. `undefined` when its lease has ended, and with it all claims that were tied to it. */
  async relyingOn<T>(session: Session, step: () => Soon<T>): Promise<T | undefined> {
    try {
      return await step();
    } catch (error) {
      if (!(error instanceof LeaseGone)) throw error;
      session.end();
      return undefined;
    }
  }

  /** Takes claims back that were not renewed in time, or that nobody here wants, unless another side has them by now. */
  readonly lapse = (resource: Resource, claims: readonly OwnClaim[]): void => {
    const now = this.clock.now();
    for (const claim of claims) {
      claim.leaving = true;
      this.mayBePutYet(claim);
      // Until then it is tried; if that is in vain, once more.
      this.book.extend(claim, now, 2 * quietTimeout);
      this.#remove(resource, claim).catch(() => {});
    }
  };

  async #remove(resource: Resource, claim: OwnClaim): Promise<void> {
    const { key, created } = claim;
    const found = await this.#find(claim);
    const isOthers = found !== undefined && !this.#isLeft(resource, claim, found);
    if (found && !isOthers) {
      const deletion = deletionAsIs(Buffer.from(key), found.mod_revision);
      const { succeeded } = await this.calls.transact(deletion, quietTimeout, quietly);
      // Written meanwhile: by whom?
      if (!succeeded) return await this.#remove(resource, claim);
    }
    if (!isOthers) resource.removed({ key, created: found ? Number(found.create_revision) : created });
    resource.drop(claim);
    resource.listeners.call(claim.id);
    this.watches.attend(resource);
    this.book.forgetIfIdle(resource);
  }

  /** The claim's key, if it is there. */
  async #find({ key: name, created, id }: OwnClaim): Promise<KeyValue | undefined> {
    const look = { success: [{ request_range: { key: Buffer.from(name) } }] };
    const { responses } = await this.calls.transact(look, quietTimeout, quietly);
    return responses[0]?.response_range?.kvs.find(({ create_revision, value }) =>
      created === 0 ? decode(value)?.id === id : create_revision === String(created),
    );
  }

  /** Whether no other side has taken it over, and nobody here: whoever asks for the claim again mostly has another key. */
  #isLeft({ claims }: Resource, claim: OwnClaim, { lease }: KeyValue): boolean {
    const asked = claims.get(claim.id);
    return this.sessions.has(lease) && (asked === claim || asked?.key !== claim.key);
  }

  async close(): Promise<void> {
    const inUse = this.book.sessions;
    this.watches.close();
    this.book.close();
    await this.sessions.close(inUse, farewell);
    await this.calls.close();
  }
}
