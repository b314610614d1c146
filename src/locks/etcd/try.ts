import type { Busy, Claim, EnterRequest, Grant, Granted } from '../coordinator.js';
import { busy, checkWeight, granted } from './answers.js';
import { mostAtOnce } from './calls.js';
import type { Comparison, Transaction } from './client.js';
import { encode, newEntry } from './entry.js';
import { removeKeys } from './leave.js';
import { asContender, type OwnClaim, type Resource } from './resource.js';
import type { Session } from './session.js';
import { type Contender, isAbsent, Sight, seen, unchanged } from './sight.js';
import type { Site } from './site.js';
import { takeOver } from './take-over.js';
import { TimeLeft } from './time-left.js';

/** What may be granted next, as far as can be seen: claims that hold a permit already, or newcomers there is room for. */
interface Run {
  readonly held: readonly Contender[];
  readonly fresh: readonly Claim[];
  /** What has to be so still when the newcomers join. */
  readonly provided: Comparison[];
}

/**
 * A try: one transaction that puts the keys if nothing has changed since what was last seen of the resource, and else tells
 * what is to be seen now. So a free resource costs one call, a refusal writes nothing, and whoever finds that others were
 * quicker knows more the next time. Of a resource that is not known here it is assumed that nobody uses it.
 *
 * If the process dies before the answer, the keys go with its session. If it gives up before the answer, they are deleted
 * with the claim, and whatever is put even later is found by the session.
 */
export class Try {
  readonly #site: Site;
  readonly #resource: Resource;
  readonly #request: EnterRequest;
  readonly #time: TimeLeft;
  readonly #grants: Grant[] = [];
  #sight: Sight;
  /** Whether etcd has said, during this try, who stands there. */
  #certain = false;

  constructor(site: Site, resource: Resource, request: EnterRequest) {
    this.#site = site;
    this.#resource = resource;
    this.#request = request;
    this.#time = new TimeLeft(site.clock, request.timeout);
    this.#sight = resource.sight ?? Sight.assumed(resource.keys);
  }

  async run(): Promise<Granted | Busy> {
    const { claims } = this.#request;
    if (this.#mustLook) await this.#look();
    while (this.#grants.length < claims.length && this.#time.ms > 0) {
      const { held, fresh, provided } = this.#next();
      if (held.length > 0) await this.#grantAgain(held);
      else if (fresh.length > 0) await this.#join(fresh, provided);
      else if (!this.#certain) await this.#look();
      else break;
    }
    return this.#grants.length > 0
      ? granted(this.#sight, this.#request, this.#grants)
      : await this.#refused();
  }

  /** Whoever may be refused for another reason than want of room does not try unseen. */
  get #mustLook(): boolean {
    const { claims, weight, capacity } = this.#request;
    const known = ({ id, redelivered }: Claim) => redelivered || this.#resource.claims.has(id);
    return weight > capacity || claims.some(known);
  }

  async #look(): Promise<void> {
    this.#sight = await this.#site.look(this.#resource, this.#time.ms);
    this.#certain = true;
  }

  #next(): Run {
    const { claims, weight, capacity } = this.#request;
    const held: Contender[] = [];
    const fresh: Claim[] = [];
    for (const claim of claims.slice(this.#grants.length, this.#grants.length + mostAtOnce)) {
      const known = this.#sight.find(claim.id);
      if (known) {
        if (fresh.length > 0 || !this.#sight.standing(known)?.held) break;
        held.push(known);
      } else {
        const room = this.#sight.hasRoom((fresh.length + 1) * weight, capacity);
        if (held.length > 0 || !room || this.#sight.earlierRun(claim)) break;
        fresh.push(claim);
      }
    }
    return { held, fresh, provided: unchanged(this.#resource.keys, this.#sight) };
  }

  async #grantAgain(held: readonly Contender[]): Promise<void> {
    const { lease, capacity } = this.#request;
    for (const contender of held) {
      const terms = { lease, capacity };
      const claim = await takeOver(this.#site, this.#resource, contender, terms, this.#time);
      if (!claim) return await this.#look();
      this.#grants.push(this.#site.grant(claim, lease, this.#time.began));
    }
  }

  async #join(fresh: readonly Claim[], provided: Comparison[]): Promise<void> {
    const { lease } = this.#request;
    const session = await this.#site.sessions.open(lease, this.#time.ms);
    const claims = fresh.map((claim, rank) => this.#newClaim(claim, rank, session));
    const joined = await this.#site.relyingOn(session, () => {
      const put = this.#put(claims, provided, session);
      const lasts = session.outlast(lease, this.#time.ms);
      return lasts ? Promise.all([put, lasts]).then(([joined]) => joined) : put;
    });
    if (!joined) return;
    for (const claim of claims) this.#grants.push(this.#site.grant(claim, lease, this.#time.began));
  }

  #newClaim(claim: Claim, rank: number, session: Session): OwnClaim {
    const resource = this.#resource;
    const since = Math.round(this.#site.clock.wall());
    const entry = newEntry(this.#request, claim, { rank, since, held: true });
    const key = this.#site.keyOf(resource, claim.id, session);
    const own = this.#site.claim(resource, entry, key, session);
    this.#site.book.extend(own, this.#time.began, this.#request.lease);
    return own;
  }

  /** False when something has changed, and nothing was put. */
  async #put(claims: readonly OwnClaim[], provided: Comparison[], session: Session): Promise<boolean> {
    const { keys } = this.#resource;
    const sight = this.#sight;
    const since = sight.joinedAt;
    const request: Transaction = {
      // The name of a key that is not seen is free if nobody has joined since.
      compare: [...provided, ...claims.filter(({ key }) => sight.at(key)).map(isAbsent)],
      success: claims.map(({ key, entry }) => ({
        request_put: { key: Buffer.from(key), value: encode(entry), lease: session.id },
      })),
      failure: keys.look,
    };
    const answer = await this.#site.calls.transact(request, this.#time.ms, { doubt: session.doubt });
    if (answer.succeeded) this.#joined(claims, sight, Number(answer.header.revision), since);
    else this.#notJoined(claims, seen(keys, answer));
    return answer.succeeded;
  }

  #joined(claims: readonly OwnClaim[], sight: Sight, revision: number, since: number): void {
    for (const claim of claims) {
      const { entry } = claim;
      this.#site.found(claim, { created: revision, modified: revision, entry });
    }
    const contenders = claims.map(asContender);
    if (sight.lineAt === 0) this.#certain = true;
    sight.joined(contenders, revision, since);
    this.#site.notice(this.#resource, sight);
    // Somebody else here may have seen more meanwhile.
    if (this.#resource.sight !== sight) this.#resource.sight?.joined(contenders, revision, since);
    // Given back before the answer came, by one who did not wait for it.
    const unwanted = claims.filter(({ leaving }) => leaving);
    if (unwanted.length > 0) this.#site.lapse(this.#resource, unwanted);
  }

  /** What was put by an attempt whose answer was lost is seen there, and granted next. */
  #notJoined(claims: readonly OwnClaim[], sight: Sight): void {
    for (const claim of claims) {
      const contender = sight.at(claim.key);
      if (!contender) this.#resource.gone(claim);
      else if (contender.entry?.id !== claim.id) this.#site.nameIsTaken(this.#resource, claim);
    }
    this.#sight = this.#site.notice(this.#resource, sight);
    this.#certain = true;
  }

  async #refused(): Promise<Busy> {
    if (!this.#certain) await this.#look();
    const { claims } = this.#request;
    const places = this.#sight.all(claims.map(({ id }) => id));
    const standing = places.map((use) => ({ resource: this.#resource, use }));
    if (standing.length > 0) await removeKeys(this.#site, standing, this.#time);
    checkWeight(this.#sight, this.#request);
    return await busy(this.#site, this.#sight, claims[0], this.#time);
  }
}
