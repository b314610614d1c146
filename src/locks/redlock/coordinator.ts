import { setTimeout as sleep } from 'node:timers/promises';
import { ConfigError } from '../../errors.js';
import type { Unsubscribe } from '../../events.js';
import type {
  Booking,
  CallOptions,
  Claim,
  ClaimRef,
  ClaimState,
  Coordinator,
  CoordinatorFeatures,
  Entered,
  EnterRequest,
  Renewal,
  ResourceState,
} from '../coordinator.js';
import type { Masters, Verdict } from './masters.js';
import { beginOf, readValue, type Value, writeValue } from './value.js';

/** Nobody is told when a key is free, so whoever waits looks again after so many milliseconds. */
const poll = { least: 50, spread: 100 };

/**
 * Those who ask at the same moment may each get too few votes. They ask again so many times, each at a moment of its own:
 * within several times of what asking takes, but so many milliseconds at the most.
 */
const split = { attempts: 5, times: 4, least: 10, most: 100 };

/**
 * A mutex over several independent masters: whoever has its key on most of them holds it, as with Redlock. There is no
 * line, no token, and no capacity above 1.
 *
 * Every step asks all masters at once, and none is waited for longer than a quarter of the lease. What a dead process has
 * lapses on each master by itself. A step that stops half way leaves keys on some masters: a claim that got too few takes
 * back what it got, and what it cannot take back lapses within a lease, as one vote too few for others meanwhile.
 */
export class RedlockCoordinator implements Coordinator {
  readonly kind = 'redlock';
  readonly features: CoordinatorFeatures = {
    fair: false,
    fencing: false,
    weighted: false,
    semaphore: false,
    rate: false,
    survivesFailover: true,
    minLease: 100,
  };
  readonly #masters: Masters;
  readonly #pausePrefix: string;

  constructor(masters: Masters, pausePrefix: string) {
    this.#masters = masters;
    this.#pausePrefix = pausePrefix;
  }

  async enter({ resource, claims, owner, ...request }: EnterRequest): Promise<Entered> {
    this.#masters.mustBeOpen();
    mustBeOne(resource, Math.max(request.capacity, request.weight));
    const [claim] = claims as readonly [Claim];
    const value = writeValue(claim, { owner, since: Date.now() });
    const { kind } = await this.#acquire(resource, value, request);
    if (kind === 'passed')
      return { kind: 'granted', grants: [{ id: claim.id, lease: request.lease }], capacity: 1 };
    const ownUntil = await this.#endOfEarlierRun(resource, claim, request);
    const retryAfter = ownUntil ?? poll.least + Math.random() * poll.spread;
    if (ownUntil !== undefined) return { kind: 'busy', retryAfter, ownUntil };
    return request.line ? { kind: 'queued', ahead: 0, retryAfter } : { kind: 'busy', retryAfter };
  }

  async #acquire(
    resource: string,
    value: string,
    { lease, timeout }: { readonly lease: number; readonly timeout: number },
  ): Promise<Verdict> {
    const until = performance.now() + timeout;
    for (let attempt = 1; ; attempt++) {
      const patience = patienceFor(lease, until - performance.now());
      const start = performance.now();
      const verdict = await this.#masters.acquire(resource, value, Math.ceil(lease), patience);
      const spread = split.times * (performance.now() - start);
      const pause = Math.random() * Math.min(split.most, Math.max(split.least, spread));
      const again = verdict.kind !== 'passed' && verdict.votes > 0 && attempt < split.attempts;
      if (!again || performance.now() + pause + patience > until) return verdict;
      await sleep(pause);
    }
  }

  /** Whoever holds may be an earlier run for the same message: milliseconds until its lease ends. */
  async #endOfEarlierRun(
    resource: string,
    { id, message, redelivered }: Claim,
    { lease, timeout }: { readonly lease: number; readonly timeout: number },
  ): Promise<number | undefined> {
    if (!redelivered || message === undefined) return undefined;
    const held = await this.#held(resource, patienceFor(lease, timeout));
    const value = held && readValue(held.value);
    return value && value.message === message && value.id !== id ? held.left : undefined;
  }

  async renew(permits: readonly Renewal[], { timeout }: CallOptions): Promise<Map<string, 'kept' | 'lost'>> {
    this.#masters.mustBeOpen();
    const answers = new Map<string, 'kept' | 'lost'>();
    const renewals = permits.map(async (permit) => {
      const { kind } = await this.#extend(permit, timeout);
      if (kind !== 'open') answers.set(permit.id, kind === 'passed' ? 'kept' : 'lost');
    });
    const failed = (await Promise.allSettled(renewals)).find(({ status }) => status === 'rejected');
    // Of what is not known nothing is said, unless that is all.
    if (failed && answers.size === 0) throw (failed as PromiseRejectedResult).reason;
    return answers;
  }

  async #extend(permit: Renewal, timeout: number): Promise<Verdict> {
    const { id, resource, lease, serves } = permit;
    const patience = patienceFor(lease, timeout);
    let value = beginOf(permit);
    if (serves) {
      const known = await this.#held(resource, patience);
      const before = known && readValue(known.value);
      if (before?.id !== id) return { kind: 'refused', votes: 0 };
      value = writeValue({ id, ...serves }, before);
    }
    return await this.#masters.extend(resource, value, Math.ceil(lease), patience);
  }

  async exit(claims: readonly ClaimRef[], { timeout }: CallOptions): Promise<void> {
    this.#masters.mustBeOpen();
    const exits = claims.map((claim) => this.#masters.release(claim.resource, beginOf(claim), timeout));
    const failed = (await Promise.allSettled(exits)).find(({ status }) => status === 'rejected');
    if (failed) throw (failed as PromiseRejectedResult).reason;
  }

  /** Nobody is ever told: `features.fair` says so. */
  wake(_: ClaimRef, __: () => void): Unsubscribe {
    this.#masters.mustBeOpen();
    return () => {};
  }

  async book(): Promise<Booking> {
    throw new ConfigError('Redlock keeps no rates: name another `coordinator` on that resource');
  }

  async inspect(resource: string, { timeout }: CallOptions): Promise<ResourceState> {
    const [held, paused] = await Promise.all([
      this.#held(resource, timeout),
      this.#paused(resource, timeout),
    ]);
    return {
      resource,
      ...(held && { capacity: 1 }),
      ...(paused && { paused }),
      holders: held ? [stateOf(held)] : [],
      waiting: [],
    };
  }

  async setCapacity(resource: string, capacity: number | undefined): Promise<void> {
    this.#masters.mustBeOpen();
    if (capacity !== undefined) mustBeOne(resource, capacity);
  }

  async pause(
    resource: string,
    ms: number,
    { timeout, reason }: CallOptions & { reason?: string },
  ): Promise<void> {
    const key = this.#pausePrefix + resource;
    const note = JSON.stringify({ until: Date.now() + ms, reason });
    await this.#masters.ask([ms > 0 ? ['set', key, note, 'PX', Math.ceil(ms)] : ['del', key]], timeout);
  }

  /** Of another program's lock, the id is its value, as `inspect` shows it. */
  async evict({ resource, id }: ClaimRef, { timeout }: CallOptions): Promise<boolean> {
    const ours = await this.#masters.release(resource, beginOf({ id }), timeout);
    if (ours.votes > 0) return true;
    const theirs = await this.#masters.release(resource, id, timeout);
    return theirs.votes > 0;
  }

  async close(): Promise<void> {
    await this.#masters.close();
  }

  /** What most masters have, and for how many milliseconds at the most that is so. */
  async #held(resource: string, patience: number): Promise<Held | undefined> {
    const replies = await this.#masters.ask(
      [
        ['get', resource],
        ['pttl', resource],
      ],
      patience,
    );
    const byClaim = new Map<string, Held[]>();
    for (const [value, left] of replies as [string | null, number][]) {
      if (value === null) continue;
      const known = readValue(value);
      const claim = known ? beginOf(known) : value;
      byClaim.set(claim, [...(byClaim.get(claim) ?? []), { value, left: lastsFor(left) }]);
    }
    const most = [...byClaim.values()].find((votes) => votes.length >= this.#masters.quorum);
    return most?.sort((a, b) => b.left - a.left)[this.#masters.quorum - 1];
  }

  async #paused(resource: string, patience: number): Promise<ResourceState['paused']> {
    const replies = await this.#masters.ask([['get', this.#pausePrefix + resource]], patience);
    const notes = replies.flatMap(([note]) => (note === null ? [] : [String(note)]));
    return notes.length >= this.#masters.quorum ? JSON.parse(notes[0] as string) : undefined;
  }
}

interface Held {
  readonly value: string;
  readonly left: number;
}

/** Others may lock for ever. */
function lastsFor(pttl: number): number {
  return pttl < 0 ? Number.POSITIVE_INFINITY : pttl;
}

function stateOf({ value, left }: Held): ClaimState {
  const until = Math.round(Date.now() + left);
  const ours: Value | undefined = readValue(value);
  if (ours) return { ...ours, weight: 1, until, foreign: false };
  return { id: value, owner: '', weight: 1, since: 0, until, foreign: true };
}

/** No master is worth waiting for until the lease is over, or the caller has gone. */
function patienceFor(lease: number, timeout: number): number {
  return Math.max(50, Math.min(1_000, Math.round(lease / 4), Math.round(timeout)));
}

function mustBeOne(resource: string, capacity: number): void {
  if (capacity === 1) return;
  throw new ConfigError(
    `"${resource}" is a mutex: a majority of masters cannot count, so its capacity is 1 and so is every weight, not ${capacity}`,
  );
}
