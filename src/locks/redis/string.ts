import { ConfigError } from '../../errors.js';
import type {
  Booking,
  CallOptions,
  Claim,
  ClaimRef,
  ClaimState,
  Entered,
  EnterRequest,
  Renewal,
  ResourceState,
} from '../coordinator.js';
import type { Step } from './batches.js';
import { stringFeatures } from './features.js';
import type { Layout } from './layout.js';
import { otherLayout, servesOf } from './native.js';
import {
  enterString,
  enterStringAgain,
  enterStringQuick,
  evictString,
  exitString,
  inspectString,
  pauseString,
  renewString,
} from './scripts/string.js';
import type { RedisService } from './service.js';
import { servedBy } from './state.js';

/** Nobody is told when the key is free, so whoever waits looks again after so many milliseconds, at most. */
const poll = { least: 100, spread: 150 };

/**
 * A mutex that other programs share: the text key that redis-py's `Lock`, redlock and redis-semaphore's `Mutex` set.
 *
 * The key is the resource's name as it is, with `mutex:` before it for redis-semaphore. Source of the layout: the recipe
 * for a single instance in the Redis documentation on distributed locks.
 */
export class StringLayout implements Layout {
  readonly features = stringFeatures;
  readonly #service: RedisService;
  readonly #before: string;

  /** `before`: what stands before the resource's name in the key. */
  constructor(service: RedisService, before: string) {
    this.#service = service;
    this.#before = before;
  }

  #nameOf(resource: string): string {
    return this.#before + resource;
  }

  async enter(request: EnterRequest): Promise<Entered> {
    const { resource, claims, capacity, weight, lease, timeout } = request;
    checkMutex(resource, capacity, weight);
    const [claim] = claims as [Claim];
    const name = this.#nameOf(resource);
    const known = this.#service.keysOf(name);
    const keys = [name, known.fence, known.pause, known.state];
    const step = { resource, keys, args: [this.#valueOf(request, claim)], common: [Math.ceil(lease)] };
    const script = claim.redelivered ? enterStringAgain : known.quick ? enterStringQuick : enterString;
    const reply = await this.#service.run(script, step, timeout);
    known.quick = typeof reply === 'number';
    if (Array.isArray(reply)) return refusalOf(request, reply);
    return { kind: 'granted', grants: [{ id: claim.id, token: BigInt(reply), lease }], capacity: 1 };
  }

  /** The value, up to the token. All but the id is for those who look, as is the time, which is this side's. */
  #valueOf({ owner }: EnterRequest, claim: Claim): string {
    return `${beginOf(claim)}${this.#service.partyOf(owner).list},${Date.now()}]\n${servesOf(claim)}\n`;
  }

  async renew(permits: readonly Renewal[], { timeout }: CallOptions): Promise<Map<string, 'kept' | 'lost'>> {
    this.#service.mustBeOpen();
    const answers = permits.map(async (permit) => {
      const serves = permit.serves ? servesOf(permit.serves) : '';
      const args = [beginOf(permit), Math.ceil(permit.lease), serves];
      const kept = await this.#service.run(renewString, this.#onKey(permit, args), timeout);
      return [permit.id, kept === 1 ? 'kept' : 'lost'] as const;
    });
    return new Map(await Promise.all(answers));
  }

  exit(claims: readonly ClaimRef[], { timeout }: CallOptions): Promise<void> {
    const steps = claims.map((claim) => this.#onKey(claim, [beginOf(claim)]));
    return this.#service.runAll(exitString, steps, timeout);
  }

  async evict(claim: ClaimRef, { timeout }: CallOptions): Promise<boolean> {
    const step = this.#onKey(claim, [beginOf(claim), claim.id]);
    return (await this.#service.run(evictString, step, timeout)) === 1;
  }

  #onKey({ resource }: ClaimRef, args: Step['args']): Step {
    return { resource, keys: [this.#nameOf(resource)], args };
  }

  async inspect(resource: string, { timeout }: CallOptions): Promise<ResourceState> {
    const name = this.#nameOf(resource);
    const step = { resource, keys: [name, this.#service.keysOf(name).pause], args: [] };
    const reply = await this.#service.run(inspectString, step, timeout);
    const [time, value, left, reason, pauseLeft] = reply;
    const now = Number(time);
    const paused = { until: Math.round(now + pauseLeft), ...(reason !== '' && { reason }) };
    return {
      resource,
      ...(value !== '' && { capacity: 1 }),
      ...(pauseLeft > 0 && { paused }),
      holders: value === '' ? [] : [holderOf(value, now, left)],
      waiting: [],
    };
  }

  async book({ resource }: { readonly resource: string }): Promise<Booking> {
    this.#service.mustBeOpen();
    throw new ConfigError(`"${resource}" is a mutex in this layout: declare the rate without \`layout\``);
  }

  async setCapacity(resource: string, capacity: number | undefined): Promise<void> {
    this.#service.mustBeOpen();
    if (capacity !== undefined) checkMutex(resource, capacity, 1);
  }

  async pause(
    resource: string,
    ms: number,
    { timeout, reason = '' }: CallOptions & { reason?: string },
  ): Promise<void> {
    const { fence, pause } = this.#service.keysOf(this.#nameOf(resource));
    const step = { resource, keys: [fence, pause], args: [Math.ceil(ms), reason] };
    await this.#service.run(pauseString, step, timeout);
  }
}

/** Why there is no permit now. Who may wait looks again soon, for nobody tells it. */
function refusalOf({ resource, line }: EnterRequest, [kind, ...reply]: (string | number)[]): Entered {
  if (kind === 'layout') throw otherLayout(resource, 'native');
  if (kind === 'foreign') throw noLock(resource, String(reply[0]));
  const left = Number(reply[0]);
  const ownUntil = reply[1] ? Number(reply[1]) : undefined;
  if (ownUntil !== undefined) return { kind: 'busy', retryAfter: ownUntil, ownUntil };
  const soon = poll.least + Math.random() * poll.spread;
  if (line) return { kind: 'queued', ahead: 0, retryAfter: left > 0 ? Math.min(left, soon) : soon };
  return { kind: 'busy', retryAfter: left > 0 ? left : soon };
}

/** What the value of a claim begins with, and of no other. */
function beginOf({ id }: { readonly id: string }): string {
  return `["lk1",${JSON.stringify(id)},`;
}

function holderOf(value: string, now: number, left: number): ClaimState {
  const until = left < 0 ? Number.POSITIVE_INFINITY : Math.round(now + left);
  if (!value.startsWith('["lk1",')) {
    return { id: value, owner: '', weight: 1, since: 0, until, foreign: true };
  }
  const [first = '[]', serves = '[]', token = '0'] = value.split('\n');
  const [, id, owner, , since] = JSON.parse(first) as [string, string, string, string, number];
  return {
    id,
    owner,
    ...servedBy(serves),
    weight: 1,
    since,
    until,
    token: BigInt(token),
    foreign: false,
  };
}

function checkMutex(resource: string, capacity: number, weight: number): void {
  if (capacity === 1 && weight === 1) return;
  throw new ConfigError(
    `"${resource}" is one key that others lock too, so its capacity is 1 and so is every weight, not ` +
      `${Math.max(capacity, weight)}: declare it without \`layout\``,
  );
}

function noLock(resource: string, error: string): ConfigError {
  return new ConfigError(
    `The key of "${resource}" is in use for something that is no lock (${error}): give the resource another name`,
  );
}
