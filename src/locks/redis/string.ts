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
import { stringFeatures } from './features.js';
import { type Layout, pauseResource } from './layout.js';
import { otherLayout, redeliveredOf, servesOf } from './native.js';
import { enterString, evictString, exitString, inspectString, renewString } from './scripts/string.js';
import type { RedisService } from './service.js';
import { pairsOf, pauseOf, servedBy } from './state.js';

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
    const { resource, claims, owner, capacity, weight, lease, line, timeout } = request;
    checkMutex(resource, capacity, weight);
    const [claim] = claims as [Claim];
    const name = this.#nameOf(resource);
    const { state, fence } = this.#service.keysOf(name);
    const rest = `${JSON.stringify([owner, this.#service.wakes.channel]).slice(1)}\n${servesOf(claim)}`;
    const args = [beginOf(claim), rest, Math.ceil(lease), redeliveredOf(claim)];
    const step = { keys: [name, fence, state], args };
    const [kind, ...reply] = await this.#service.run(enterString, resource, step, timeout);
    if (kind === 'granted') {
      return { kind, grants: [{ id: claim.id, token: BigInt(reply[0]), lease }], capacity: 1 };
    }
    if (kind === 'layout') throw otherLayout(resource, 'native');
    if (kind === 'foreign') throw noLock(resource, reply[0]);
    const [left, ownUntil] = reply;
    if (ownUntil !== '') return { kind: 'busy', retryAfter: ownUntil, ownUntil };
    const soon = poll.least + Math.random() * poll.spread;
    if (line) return { kind: 'queued', ahead: 0, retryAfter: left > 0 ? Math.min(left, soon) : soon };
    return { kind: 'busy', retryAfter: left > 0 ? left : soon };
  }

  async renew(permits: readonly Renewal[], { timeout }: CallOptions): Promise<Map<string, 'kept' | 'lost'>> {
    this.#service.mustBeOpen();
    const answers = permits.map(async (permit) => {
      const name = this.#nameOf(permit.resource);
      const { fence } = this.#service.keysOf(name);
      const serves = permit.serves ? servesOf(permit.serves) : '';
      const step = { keys: [name, fence], args: [beginOf(permit), Math.ceil(permit.lease), serves] };
      const kept = await this.#service.run(renewString, permit.resource, step, timeout);
      return [permit.id, kept === 1 ? 'kept' : 'lost'] as const;
    });
    return new Map(await Promise.all(answers));
  }

  async exit(claims: readonly ClaimRef[], { timeout }: CallOptions): Promise<void> {
    this.#service.mustBeOpen();
    const step = (claim: ClaimRef) =>
      this.#service.run(exitString, claim.resource, this.#claim(claim), timeout);
    await Promise.all(claims.map(step));
  }

  async evict(claim: ClaimRef, { timeout }: CallOptions): Promise<boolean> {
    return (await this.#service.run(evictString, claim.resource, this.#claim(claim), timeout)) === 1;
  }

  #claim(claim: ClaimRef) {
    const name = this.#nameOf(claim.resource);
    const { fence } = this.#service.keysOf(name);
    return { keys: [name, fence], args: [beginOf(claim), claim.id] };
  }

  async inspect(resource: string, { timeout }: CallOptions): Promise<ResourceState> {
    const name = this.#nameOf(resource);
    const { state, fence } = this.#service.keysOf(name);
    const step = { keys: [name, fence, state], args: [] };
    const reply = await this.#service.run(inspectString, resource, step, timeout);
    const [time, value, left, token, fields] = reply;
    const now = Number(time);
    return {
      resource,
      ...(value !== '' && { capacity: 1 }),
      ...pauseOf(pairsOf(fields), now),
      holders: value === '' ? [] : [holderOf(value, now, left, token)],
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

  pause(resource: string, ms: number, options: CallOptions & { reason?: string }): Promise<void> {
    return pauseResource(this.#service, this.#nameOf(resource), ms, options);
  }
}

/** What the value of a claim begins with, and of no other. */
function beginOf({ id }: { readonly id: string }): string {
  return `["lk1",${JSON.stringify(id)},`;
}

function holderOf(value: string, now: number, left: number, token: string): ClaimState {
  const until = left < 0 ? Number.POSITIVE_INFINITY : Math.round(now + left);
  if (!value.startsWith('["lk1",')) {
    return { id: value, owner: '', weight: 1, since: 0, until, foreign: true };
  }
  const [first = '[]', serves = '[]'] = value.split('\n');
  const [, id, owner] = JSON.parse(first) as string[];
  return {
    id: id as string,
    owner: owner as string,
    ...servedBy(serves),
    weight: 1,
    // A token is the time of its grant, in microseconds, unless the clock was set back.
    since: Math.floor(Number(token) / 1_000),
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
