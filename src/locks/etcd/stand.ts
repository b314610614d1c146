import { CoordinatorUnavailableError } from '../../errors.js';
import type { Busy, Claim, EnterRequest, Granted, Queued } from '../coordinator.js';
import { busy, checkWeight, granted } from './answers.js';
import { kind } from './calls.js';
import { encode, newEntry } from './entry.js';
import { removeKeys } from './leave.js';
import type { OwnClaim, Resource } from './resource.js';
import type { Session } from './session.js';
import { type Contender, isAbsent, type KeyUse, type Sight, type Standing, seen } from './sight.js';
import type { Site } from './site.js';
import { takeOver } from './take-over.js';
import { TimeLeft } from './time-left.js';

type Answer = Granted | Queued | Busy;

/**
 * Standing in line: one transaction puts the key at the end, as Go's mutex does, and tells who stands before it.
 *
 * From there it moves up by itself. Whoever waits is told by a watch when those ahead have left, asks again, and is granted
 * without another call; one who asks untold is answered by etcd. So a pair costs two calls even when it waits.
 *
 * If the process dies, the key goes with its session, also when it holds by then. If the answer is lost, the next question
 * is asked with the same key, and finds it or puts it.
 */
export class Stand {
  readonly #site: Site;
  readonly #resource: Resource;
  readonly #request: EnterRequest;
  readonly #claim: Claim;
  readonly #time: TimeLeft;

  constructor(site: Site, resource: Resource, request: EnterRequest) {
    this.#site = site;
    this.#resource = resource;
    this.#request = request;
    this.#claim = request.claims[0] as Claim;
    this.#time = new TimeLeft(site.clock, request.timeout);
  }

  /** Each round that brings no answer has found that the claim, or its session, went away in the middle of it. */
  async run(): Promise<Answer> {
    let answer: Answer | undefined = await this.#grantIfTold();
    while (!answer) {
      if (this.#time.ms === 0) throw new CoordinatorUnavailableError(kind);
      answer = this.#mustLook ? await this.#lookFirst() : await this.#join();
    }
    return answer;
  }

  /** As the watch tells, it has come to its turn: what is ahead can but become less, so that stays true. */
  async #grantIfTold(): Promise<Granted | undefined> {
    const { sight, claims } = this.#resource;
    const claim = claims.get(this.#claim.id);
    const session = claim?.session;
    if (!sight || !claim || !session || claim.granted || !this.#isUpToDate) return undefined;
    const standing = sight.standing(claim);
    if (!standing?.held || standing.contender.lease !== session.id || !this.#asBefore(standing))
      return undefined;
    await this.#site.relyingOn(session, () => session.outlast(this.#request.lease, this.#time.ms));
    if (claims.get(claim.id) !== claim || claim.leaving) return undefined;
    return this.#grant(sight, claim);
  }

  get #isUpToDate(): boolean {
    const { watched, catchesUpUntil } = this.#resource;
    return watched && this.#site.clock.now() >= catchesUpUntil;
  }

  /** Whether it asks for the same as it did. */
  #asBefore({ contender: { entry } }: Standing): boolean {
    const { weight, capacity, lease } = this.#request;
    return entry?.weight === weight && entry.capacity === capacity && entry.lease === lease;
  }

  /** Whoever may be refused, or is there already, does not join unseen. */
  get #mustLook(): boolean {
    const { weight, capacity } = this.#request;
    return this.#resource.claims.has(this.#claim.id) || this.#claim.redelivered || weight > capacity;
  }

  async #lookFirst(): Promise<Answer | undefined> {
    const sight = await this.#site.look(this.#resource, this.#time.ms);
    const contender = sight.find(this.#claim.id);
    if (contender) return await this.#settle(sight, contender);
    checkWeight(sight, this.#request);
    if (sight.earlierRun(this.#claim)) return await busy(this.#site, sight, this.#claim, this.#time);
    return await this.#join();
  }

  async #join(): Promise<Answer | undefined> {
    const { lease } = this.#request;
    const session = await this.#site.sessions.open(lease, this.#time.ms);
    const claim = this.#newClaim(session);
    const joined = await this.#site.relyingOn(session, () =>
      Promise.all([this.#put(claim, session), session.outlast(lease, this.#time.ms)]),
    );
    const sight = joined?.[0];
    if (!sight) return undefined;
    const elsewhere = sight.find(claim.id, claim.key);
    if (elsewhere) await this.#remove(claim);
    const contender = elsewhere ?? sight.at(claim.key);
    return contender && (await this.#settle(sight, contender));
  }

  #newClaim(session: Session): OwnClaim {
    const resource = this.#resource;
    const since = Math.round(this.#site.clock.wall());
    const entry = newEntry(this.#request, this.#claim, { rank: 0, since, held: false });
    const key = this.#site.keyOf(resource, entry.id, session);
    const claim = this.#site.claim(resource, entry, key, session);
    this.#site.book.extend(claim, this.#time.began, this.#request.lease);
    return claim;
  }

  /** `undefined` when another key has that name. */
  async #put(claim: OwnClaim, session: Session): Promise<Sight | undefined> {
    const { keys } = this.#resource;
    const key = Buffer.from(claim.key);
    const request_put = { key, value: encode(claim.entry), lease: session.id };
    const answer = await this.#site.calls.transact(
      {
        compare: [isAbsent(claim)],
        success: [{ request_put }, ...keys.look],
        failure: keys.look,
      },
      this.#time.ms,
      { doubt: session.doubt },
    );
    const sight = seen(keys, answer);
    const contender = sight.at(claim.key);
    const isOurs = contender?.entry?.id === claim.id;
    if (isOurs) this.#site.found(claim, contender);
    else this.#site.nameIsTaken(this.#resource, claim);
    // Given back before the answer came, by one who did not wait for it.
    if (isOurs && claim.leaving) this.#site.lapse(this.#resource, [claim]);
    this.#site.notice(this.#resource, sight);
    return isOurs ? sight : undefined;
  }

  /** What a claim is told that stands there. A watch may have told meanwhile that it is gone. */
  async #settle(sight: Sight, contender: Contender): Promise<Answer | undefined> {
    const { lease, capacity, placeLife, weight } = this.#request;
    const standing = sight.standing(contender);
    if (!standing) return undefined;
    const own = this.#resource.claims.get(this.#claim.id);
    const holds = standing.held || (own?.key === contender.key && own.granted);
    if (!holds && (await this.#isRefused(sight, contender)))
      return await busy(this.#site, sight, this.#claim, this.#time);
    if (!holds && contender.entry?.weight !== weight) return await this.#remove(contender);

    const terms = holds ? { lease, capacity } : { lease, capacity, placeLife };
    const claim = await takeOver(this.#site, this.#resource, contender, terms, this.#time);
    if (!claim) return undefined;
    if (holds) return this.#grant(sight, claim);
    this.#site.queue(this.#resource, claim, placeLife, this.#time.began);
    return { kind: 'queued', ahead: standing.ahead, retryAfter: sight.retryAfter(contender.key) };
  }

  /** A claim that is refused for good leaves its place, so that it stands in nobody's way. */
  async #isRefused(sight: Sight, contender: Contender): Promise<boolean> {
    const { weight, capacity } = this.#request;
    const heavy = weight > sight.inForce(capacity);
    const refused = heavy || sight.earlierRun(this.#claim) !== undefined;
    if (refused) await this.#remove(contender);
    checkWeight(sight, this.#request);
    return refused;
  }

  async #remove(use: KeyUse): Promise<undefined> {
    await removeKeys(this.#site, [{ resource: this.#resource, use }], this.#time);
  }

  #grant(sight: Sight, claim: OwnClaim): Granted {
    const { lease } = this.#request;
    return granted(sight, this.#request, [this.#site.grant(claim, lease, this.#time.began)]);
  }
}
