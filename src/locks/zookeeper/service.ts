import { systemClock } from '../../clock.js';
import { Deadlines } from '../../deadlines.js';
import { ClosedError, CoordinatorUnavailableError } from '../../errors.js';
import type { Unsubscribe } from '../../events.js';
import { inTime } from '../../in-time.js';
import type { CallOptions, ClaimRef, Entered, EnterRequest, Renewal, ResourceState } from '../coordinator.js';
import { keyOf, type OwnClaim } from './claim.js';
import { Claims } from './claims.js';
import { toldToCallers, ZooKeeperError } from './error.js';
import { inspect } from './inspect.js';
import type { Layout } from './layout.js';
import { enterMutex } from './mutex.js';
import { evict, pause, setCapacity } from './operators.js';
import { pathsOf } from './paths.js';
import { Recent } from './recent.js';
import { Refusals } from './refusals.js';
import { renewAll } from './renew.js';
import { Runs } from './runs.js';
import { enterSemaphore } from './semaphore.js';
import type { Session } from './session.js';
import { Sessions } from './sessions.js';
import type { ZooKeeperSource } from './source.js';
import type { Side, Step } from './step.js';
import { sweep } from './sweep.js';
import { Watches } from './watches.js';

export interface ServiceSettings {
  readonly source: ZooKeeperSource;
  /** The path that has the resources. */
  readonly root: string;
  readonly fencing: boolean;
  /** Of the servers, in milliseconds. */
  readonly tick: number;
  /** Whether the nodes of resources that are not used any more are removed. */
  readonly sweep: boolean;
}

/** One side of a ZooKeeper: its sessions, its claims, and all steps, whatever the layout. */
export class ZooKeeperService {
  readonly #settings: ServiceSettings;
  readonly #claims = new Claims((claim) => this.#gone(claim));
  readonly #sessions: Sessions;
  readonly #side: Side;
  readonly #deadlines = new Deadlines(systemClock);
  #closed = false;

  constructor(settings: ServiceSettings) {
    this.#settings = settings;
    const watches = new Watches(this.#claims.listeners);
    this.#sessions = new Sessions(settings.source, settings.tick, {
      onConnected: (session) => this.#claims.resume(session),
      onOver: (session) => this.#claims.lose(session),
      onChange: (session, path) => watches.changed(session, path),
    });
    this.#side = {
      claims: this.#claims,
      watches,
      refusals: new Refusals(),
      runs: new Runs(watches),
      declared: new Recent(),
      fencing: settings.fencing,
      isFormer: (session) => this.#sessions.isFormer(session),
    };
  }

  enter(request: EnterRequest, layout: Layout): Promise<Entered> {
    const keys = request.claims.map(({ id }) => keyOf({ resource: request.resource, id }));
    return this.#step(request, (left) =>
      this.#claims.turn(keys, () => this.#enter(request, layout, keys, left)),
    );
  }

  async #enter(request: EnterRequest, layout: Layout, keys: readonly string[], left: Left): Promise<Entered> {
    const session = this.#sessions.ready(request.lease) ?? (await this.#sessions.of(request.lease, left()));
    for (const key of keys) {
      const claim = this.#claims.get(key);
      // One that is held, or stands in line, under another lease, stays in the session it was made in.
      if (claim?.state === 'leaving') await this.#claims.leave(claim, left());
    }
    const own = this.#claims.get(keys[0] as string)?.session;
    if (own && !own.connected) await own.ready(left());
    const step: Step = {
      side: this.#side,
      request,
      layout,
      paths: this.#paths(request.resource),
      session: own ?? session,
      leave: (claim) => this.#claims.leave(claim, left()),
      checkTime: () => {
        if (left() <= 0) throw new ZooKeeperError('OPERATION_TIMEOUT');
      },
    };
    try {
      return layout === 'semaphore'
        ? await enterSemaphore(step, keys)
        : await enterMutex(step, layout, keys[0] as string);
    } finally {
      this.#claims.forgetIdle(keys);
    }
  }

  renew(permits: readonly Renewal[], options: CallOptions): Promise<Map<string, 'kept' | 'lost'>> {
    return this.#step(options, (left) =>
      renewAll(permits, {
        side: this.#side,
        paths: (resource) => this.#paths(resource),
        any: () => this.#sessions.any(left()),
        left,
      }),
    );
  }

  exit(claims: readonly ClaimRef[], options: CallOptions): Promise<void> {
    const [first] = claims;
    return this.#step(options, (left) =>
      first && claims.length === 1 ? this.#exit(first, left) : this.#exitAll(claims, left),
    );
  }

  async #exitAll(claims: readonly ClaimRef[], left: Left): Promise<void> {
    const exits = await Promise.allSettled(claims.map((ref) => this.#exit(ref, left)));
    const failed = exits.find((exit) => exit.status === 'rejected');
    if (failed) throw failed.reason;
  }

  #exit(ref: ClaimRef, left: Left): Promise<void> {
    const key = keyOf(ref);
    return this.#claims.turn([key], async () => {
      const claim = this.#claims.get(key);
      // Another side may have been granted what this side stood in line for.
      if (claim && (await this.#claims.leave(claim, left()))) return;
      await evict(await this.#sessions.any(left()), this.#paths(ref.resource), ref.id);
    });
  }

  wake(ref: ClaimRef, listener: () => void): Unsubscribe {
    if (this.#closed) throw closed();
    const key = keyOf(ref);
    const claim = this.#claims.get(key);
    const [node] = claim?.nodes ?? [];
    if (claim?.state === 'permit' && node !== undefined) this.#side.watches.node(claim, node);
    return this.#claims.listeners.add(key, listener);
  }

  inspect(resource: string, options: CallOptions): Promise<ResourceState> {
    return this.#operate(options, (session) =>
      inspect(session, this.#paths(resource), this.#settings.fencing),
    );
  }

  setCapacity(
    resource: string,
    capacity: number | undefined,
    options: CallOptions & { expiresIn?: number },
  ): Promise<void> {
    return this.#operate(options, (session) =>
      setCapacity(session, this.#paths(resource), capacity, options.expiresIn),
    );
  }

  pause(resource: string, ms: number, options: CallOptions & { reason?: string }): Promise<void> {
    return this.#operate(options, async (session) => {
      const paths = this.#paths(resource);
      const { isSemaphore } = await pause(session, paths, ms, options.reason);
      if (ms === 0 && this.#settings.sweep) sweep(session.requests, paths, isSemaphore);
    });
  }

  evict(claim: ClaimRef, options: CallOptions): Promise<boolean> {
    return this.#operate(options, (session) => evict(session, this.#paths(claim.resource), claim.id));
  }

  /** Permits that are still held are left to lapse; all else goes at once. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await Promise.all((await this.#sessions.end()).map((session) => this.#end(session)));
    this.#claims.stop();
    this.#deadlines.close();
  }

  async #end(session: Session): Promise<void> {
    const claims = [...this.#claims.of(session)];
    if (!session.owned) return await this.#handBack(session, claims);
    if (claims.some(({ state }) => state === 'permit')) session.drop();
    else await session.close();
  }

  /** The client lives on, and what was made in its session with it. So permits lapse as while this was open. */
  async #handBack(session: Session, claims: readonly OwnClaim[]): Promise<void> {
    const leaving = claims.map((claim) =>
      this.#claims.turn([claim.key], async () => {
        if (claim.state !== 'permit') await this.#claims.leave(claim, 0);
      }),
    );
    await Promise.allSettled(leaving);
    await this.#endIfIdle(session);
  }

  async #endIfIdle(session: Session): Promise<void> {
    if (this.#claims.of(session).next().done) await session.close();
  }

  #paths(resource: string) {
    return pathsOf(this.#settings.root, resource);
  }

  #operate<T>(options: CallOptions, step: (session: Session) => Promise<T>): Promise<T> {
    return this.#step(options, async (left) => step(await this.#sessions.any(left())));
  }

  #step<T>({ timeout }: CallOptions, step: (left: Left) => Promise<T>): Promise<T> {
    if (this.#closed) return Promise.reject(closed());
    const until = performance.now() + timeout;
    const answer = step(() => Math.max(0, until - performance.now()));
    const late = () => {
      const cause = new Error(`no answer within ${timeout} ms`);
      return new CoordinatorUnavailableError('zookeeper', { cause });
    };
    return inTime(this.#deadlines, answer, timeout, late, toldToCallers);
  }

  #gone(claim: OwnClaim): void {
    this.#side.watches.remove(claim);
    this.#side.runs.leave(claim);
    if (this.#closed) void this.#endIfIdle(claim.session);
    if (this.#settings.sweep) sweep(claim.session.requests, claim.paths, claim.layout === 'semaphore');
  }
}

/** Milliseconds that are left of a step. */
type Left = () => number;

const closed = () => new ClosedError('The ZooKeeper coordinator');
