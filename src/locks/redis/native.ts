import { ConfigError } from '../../errors.js';
import type {
  Booking,
  BookRequest,
  CallOptions,
  Claim,
  ClaimRef,
  Entered,
  EnterRequest,
  Renewal,
  ResourceState,
} from '../coordinator.js';
import { nativeFeatures } from './features.js';
import type { Layout } from './layout.js';
import { book } from './scripts/bookings.js';
import { evict, exit, exitQuick } from './scripts/claims.js';
import { inspect, pause, setCapacity } from './scripts/operators.js';
import { enter, enterQuick, renew } from './scripts/permits.js';
import { idle } from './scripts/steps.js';
import type { RedisService } from './service.js';
import { stateOf } from './state.js';

/**
 * A fair, weighted semaphore in scripts; a mutex is one with a capacity of 1.
 *
 * Every step is one script, so there is nothing between its parts to die or stall in. Dies before it: nothing has
 * happened. Dies after it: a permit lapses with its lease, a place with its life, and nobody has to clean up. Stalls, or
 * the answer is lost: asking again with the same id gives what was granted, with the same token.
 *
 * Where the last claim found the resource free and used lately, this one and its exit are asked of a script with fewer
 * keys, which does nothing where it takes more. Between that and the whole script, with the same id, anything may happen.
 */
export class NativeLayout implements Layout {
  readonly features = nativeFeatures;
  readonly #service: RedisService;

  constructor(service: RedisService) {
    this.#service = service;
  }

  async enter(request: EnterRequest): Promise<Entered> {
    const { resource, timeout, line } = request;
    const { wakes } = this.#service;
    this.#service.mustBeOpen();
    if (line && !wakes.ready) await wakes.begin();
    const known = this.#service.keysOf(resource);
    const keys = [known.state, known.ends, known.line, known.fence, known.shared];
    const question = questionOf(request);
    const step = { resource, keys, args: [question], common: this.#termsOf(request) };
    const script = known.quick && question.startsWith('[') ? enterQuick : enter;
    const reply = await this.#service.run(script, step, timeout);
    known.quick = typeof reply === 'number';
    return enteredOf(request, reply);
  }

  #termsOf({ weight, capacity, lease, owner, placeLife, line }: EnterRequest): (string | number)[] {
    const whole = Math.ceil(lease);
    const terms = `${whole} ${weight} ${capacity} ${this.#service.partyOf(owner).lines}`;
    return [terms, whole + idle, line ? placeLife : 0];
  }

  async renew(permits: readonly Renewal[], { timeout }: CallOptions): Promise<Map<string, 'kept' | 'lost'>> {
    this.#service.mustBeOpen();
    const answers = permits.map(async ({ resource, id, lease, serves }) => {
      const { state, ends, line } = this.#service.keysOf(resource);
      const args = [id, lease, serves ? servesOf(serves) : ''];
      const kept = await this.#service.run(renew, { resource, keys: [state, ends, line], args }, timeout);
      return [id, kept === 1 ? 'kept' : 'lost'] as const;
    });
    return new Map(await Promise.all(answers));
  }

  exit(claims: readonly ClaimRef[], { timeout }: CallOptions): Promise<void> {
    const isQuick = claims.every(({ resource }) => this.#service.keysOf(resource).quick);
    const steps = claims.map((claim) => this.#claim(claim));
    return this.#service.runAll(isQuick ? exitQuick : exit, steps, timeout);
  }

  async evict(claim: ClaimRef, { timeout }: CallOptions): Promise<boolean> {
    return (await this.#service.run(evict, this.#claim(claim), timeout)) === 1;
  }

  #claim({ resource, id }: ClaimRef) {
    const { state, ends, line, rate, charges } = this.#service.keysOf(resource);
    return { resource, keys: [state, ends, line, rate, charges], args: [id] };
  }

  async book(request: BookRequest): Promise<Booking> {
    const { resource, id, limit, per, burst, cost, reach, tolerance, dry, timeout } = request;
    if (cost > burst) {
      throw new ConfigError(
        `"${resource}" has a burst of ${burst}, so a start of cost ${cost} is never possible`,
      );
    }
    const { state, rate, charges } = this.#service.keysOf(resource);
    const args = [id, per / limit, per, burst, cost, reach, tolerance, dry ? 1 : 0];
    const step = { resource, keys: [state, rate, charges], args };
    const [kind, after] = await this.#service.run(book, step, timeout);
    return kind === 'now' ? { kind } : { kind, after };
  }

  async inspect(resource: string, { timeout }: CallOptions): Promise<ResourceState> {
    const { state, ends, line, rate, charges } = this.#service.keysOf(resource);
    const step = { resource, keys: [state, ends, line, rate, charges], args: [] };
    return stateOf(resource, await this.#service.run(inspect, step, timeout));
  }

  async setCapacity(
    resource: string,
    capacity: number | undefined,
    { timeout, expiresIn }: CallOptions & { expiresIn?: number },
  ): Promise<void> {
    const { state, ends, line } = this.#service.keysOf(resource);
    const step = { resource, keys: [state, ends, line], args: [capacity ?? '', expiresIn ?? ''] };
    await this.#service.run(setCapacity, step, timeout);
  }

  async pause(
    resource: string,
    ms: number,
    { timeout, reason = '' }: CallOptions & { reason?: string },
  ): Promise<void> {
    const { state, ends, line } = this.#service.keysOf(resource);
    const step = { resource, keys: [state, ends, line], args: [ms, reason] };
    await this.#service.run(pause, step, timeout);
  }
}

/** For the script: the claim in two lines; or all claims, marked, where there may be more to say. */
function questionOf({ weight, capacity, claims }: EnterRequest): string {
  const [first] = claims as [Claim, ...Claim[]];
  const tellsOf = (claim: Claim) => [claim.id, redeliveredOf(claim), servesOf(claim)];
  const isPlain = weight <= capacity && claims.length === 1 && !first.redelivered;
  return isPlain ? `${servesOf(first)}\n${first.id}` : `*${JSON.stringify(claims.flatMap(tellsOf))}`;
}

/** The message whose earlier run is to be waited for, if any. */
export function redeliveredOf({ message, redelivered }: Claim): string {
  return (redelivered && message) || '';
}

export function servesOf({ task, message }: Pick<Claim, 'task' | 'message'>): string {
  return task === undefined && message === undefined
    ? '[null,null]'
    : JSON.stringify([task ?? null, message ?? null]);
}

function enteredOf(
  { resource, claims, weight, capacity, lease }: EnterRequest,
  reply: string | number | readonly unknown[],
): Entered {
  if (typeof reply !== 'object') {
    return {
      kind: 'granted',
      grants: [{ id: (claims[0] as Claim).id, token: BigInt(reply), lease }],
      capacity,
    };
  }
  const [kind, ...rest] = reply as [string, ...(string | number)[]];
  if (kind === 'granted') {
    const [capacity, alsoDeclared, ...tokens] = rest;
    return {
      kind,
      grants: tokens.map((token, i) => ({ id: (claims[i] as Claim).id, token: BigInt(token), lease })),
      capacity: Number(capacity),
      ...(alsoDeclared !== '' && { alsoDeclared: Number(alsoDeclared) }),
    };
  }
  if (kind === 'queued') return { kind, ahead: Number(rest[0]), retryAfter: Number(rest[1]) };
  if (kind === 'heavy') throw tooHeavy(resource, weight, Number(rest[0]));
  if (kind === 'layout') throw otherLayout(resource, 'string');
  return busyOf(rest);
}

function busyOf([retryAfter, ownUntil]: (string | number)[]): Entered {
  return {
    kind: 'busy',
    retryAfter: Number(retryAfter),
    ...(ownUntil !== '' && { ownUntil: Number(ownUntil) }),
  };
}

function tooHeavy(resource: string, weight: number, capacity: number): ConfigError {
  return new ConfigError(
    `"${resource}" has a capacity of ${capacity}, so a claim of weight ${weight} never fits into it`,
  );
}

export function otherLayout(resource: string, layout: string): ConfigError {
  return new ConfigError(
    `"${resource}" is kept in the layout '${layout}' by somebody: declare the same \`layout\` for it everywhere`,
  );
}
