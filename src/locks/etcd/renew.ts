import type { Renewal } from '../coordinator.js';
import { mostAtOnce } from './calls.js';
import type { KeyValue } from './client.js';
import { type Entry, purpose, same } from './entry.js';
import { asContender, type OwnClaim, type Resource } from './resource.js';
import type { Session } from './session.js';
import type { Contender } from './sight.js';
import type { Site } from './site.js';
import { isGivenUp, isTiedTo, rewrite } from './take-over.js';
import type { TimeLeft } from './time-left.js';

/** A permit of this side that has nothing new to say. */
interface Check {
  readonly renewal: Renewal;
  readonly resource: Resource;
  readonly claim: OwnClaim;
}

/**
 * Renews permits: their sessions are kept alive, one call for each, and their keys are looked at, one call for many. Both
 * have to be answered: an acknowledged keep-alive alone says nothing of a key that an operator has deleted, nor, before
 * etcd 3.4.38 and 3.5.23, of a lease that has just been revoked.
 *
 * A permit that has something new to say is written instead, a call for each: which message it serves now, another lease,
 * or, of one that was waited for, that it is a permit.
 */
export class Renewing {
  readonly #site: Site;
  readonly #time: TimeLeft;
  readonly #answers = new Map<string, 'kept' | 'lost'>();

  constructor(site: Site, time: TimeLeft) {
    this.#site = site;
    this.#time = time;
  }

  async renew(permits: readonly Renewal[]): Promise<Map<string, 'kept' | 'lost'>> {
    const steps: Promise<void>[] = [];
    const checks = new Map<Session, Check[]>();
    for (const renewal of permits) {
      const resource = this.#site.book.find(renewal.resource);
      const claim = resource?.claims.get(renewal.id);
      if (!resource || !claim?.granted || claim.leaving) steps.push(this.#notOurs(renewal));
      else if (!this.#hasNews(renewal, claim))
        push(checks, claim.session as Session, { renewal, resource, claim });
      else steps.push(this.#write(renewal, resource, asContender(claim)));
    }
    for (const [session, all] of checks) {
      for (let i = 0; i < all.length; i += mostAtOnce)
        steps.push(this.#check(session, all.slice(i, i + mostAtOnce)));
    }
    await Promise.all(steps);
    return this.#answers;
  }

  #say({ id }: Renewal, kept: boolean): void {
    this.#answers.set(id, kept ? 'kept' : 'lost');
  }

  #hasNews(renewal: Renewal, { session, written, entry }: OwnClaim): boolean {
    const stays = session !== undefined && this.#site.sessions.isFor(session, renewal.lease);
    return !stays || !same(written, renewed(entry, renewal));
  }

  async #check(session: Session, checks: readonly Check[]): Promise<void> {
    const longest = Math.max(...checks.map(({ renewal }) => renewal.lease));
    const success = checks.map(({ claim }) => ({
      request_range: { key: Buffer.from(claim.key), keys_only: true },
    }));
    const answers = await this.#site.relyingOn(session, () =>
      Promise.all([
        this.#site.calls.transact({ success }, this.#time.ms),
        session.outlast(longest, this.#time.ms),
      ]),
    );
    const found = answers?.[0].responses.map(({ response_range }) => response_range?.kvs[0]);
    await Promise.all(checks.map((check, i) => this.#checked(check, session, found?.[i])));
  }

  /** `found`: what has the name of its key. */
  async #checked({ renewal, resource, claim }: Check, session: Session, found?: KeyValue): Promise<void> {
    const isThere = found?.create_revision === String(claim.created);
    if (isThere && found.lease !== session.id) return await this.#notOurs(renewal);
    if (!isThere) resource.removed(claim);
    else if (!claim.leaving) this.#site.book.extend(claim, this.#time.began, renewal.lease);
    this.#say(renewal, isThere && !claim.leaving);
  }

  async #write(renewal: Renewal, resource: Resource, contender: Contender): Promise<void> {
    const own = resource.claims.get(renewal.id);
    const entry = isTiedTo(own, contender) ? own.entry : (contender.entry as Entry);
    const claim = await rewrite(this.#site, resource, contender, renewed(entry, renewal), this.#time);
    if (claim) this.#site.grant(claim, renewal.lease, this.#time.began);
    this.#say(renewal, claim !== undefined);
  }

  /**
   * Another side's, or one that this side had given up. It may stand here as a place and have been granted there, or as a
   * permit that another side has told something new since: the key alone knows.
   */
  async #notOurs(renewal: Renewal): Promise<void> {
    await this.#site.book.step(renewal.resource, async (resource) => {
      const sight = await this.#site.look(resource, this.#time.ms);
      const contender = sight.find(renewal.id);
      const held = contender?.entry && sight.standing(contender)?.held;
      if (held && !isGivenUp(resource, contender)) await this.#write(renewal, resource, contender);
      else this.#say(renewal, false);
    });
  }
}

/** What a permit says that is renewed so. */
function renewed(entry: Entry, { lease, serves }: Renewal): Entry {
  if (!serves) return { ...entry, lease, held: true };
  const { task: _, message: __, ...rest } = entry;
  return { ...rest, ...purpose(serves), lease, held: true };
}

function push<K, V>(lists: Map<K, V[]>, key: K, value: V): void {
  const list = lists.get(key);
  if (list) list.push(value);
  else lists.set(key, [value]);
}
