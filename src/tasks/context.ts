import { setMaxListeners } from 'node:events';
import { type Duration, milliseconds } from '../duration.js';
import { ConfigError } from '../errors.js';
import type { Permit } from '../locks/permit.js';
import { type Scope, scope } from '../locks/scope.js';

/** The run that the calling code is in. */
export interface CurrentTask {
  readonly id: string;
  readonly name: string;
  /** Which attempt this is, from 1. */
  readonly attempt: number;
  /** How often it was put back because a resource was busy. */
  readonly deferrals: number;
  /** Aborts when the run should stop: permit lost, time limit, revoked, shutdown. Its reason is the error that says so. */
  readonly signal: AbortSignal;
  /** The permits it holds, by the order of their names. */
  readonly permits: readonly Permit[];
  /** Tells how far it is, to whoever asks for the task's state. */
  progress(value: unknown): Promise<void>;
  /** Ends the run as a failed attempt, and asks for another, `delay` from now. Fails for good when none is left. */
  retry(options?: { delay?: Duration; error?: unknown }): never;
  /** Ends the run without using an attempt; the task comes back `after` this time. */
  defer(after: Duration): never;
}

/** The run that the calling code is in. Throws `ConfigError` outside one. */
export function currentTask(): CurrentTask {
  const task = scope.getStore()?.task;
  if (task instanceof RunContext) return task;
  throw new ConfigError('currentTask() was called outside a run of a task');
}

/** The same, or nothing. */
export function currentRun(): RunContext | undefined {
  const task = scope.getStore()?.task;
  return task instanceof RunContext ? task : undefined;
}

/**
 * How `retry()` and `defer()` leave a body: thrown there, turned into an outcome by the worker, and seen by nobody else
 * but in code that the body started and does not wait for.
 */
export class Later extends Error {
  constructor(
    readonly kind: 'retry' | 'defer',
    /** Milliseconds. */
    readonly after: number | undefined,
    readonly error?: unknown,
  ) {
    super(`${kind}() leaves the run by an exception: call it in the body itself, and do not catch it`);
  }
}

export interface RunFacts {
  readonly id: string;
  readonly name: string;
  readonly attempt: number;
  readonly deferrals: number;
  readonly rootId: string;
  readonly permits: readonly Permit[];
  /** Where progress goes. */
  readonly report?: (value: unknown) => Promise<void>;
  readonly direct?: DirectCall;
}

/** A direct call has no queue to go back to, but there may be something around it. */
export interface DirectCall {
  /** The run that it was made in. */
  readonly within: RunContext | undefined;
  /** All that the calling code holds, with the permits of the call itself. */
  readonly permits: readonly Permit[];
}

export class RunContext implements CurrentTask, Scope {
  readonly #facts: RunFacts;
  #controller: AbortController | undefined;
  #reason: unknown;
  readonly #unfollow: (() => void)[] = [];

  constructor(facts: RunFacts) {
    this.#facts = facts;
  }

  get id(): string {
    return this.#facts.id;
  }

  get name(): string {
    return this.#facts.name;
  }

  get attempt(): number {
    return this.#facts.attempt;
  }

  get deferrals(): number {
    return this.#facts.deferrals;
  }

  get permits(): readonly Permit[] {
    return this.#facts.permits;
  }

  get rootId(): string {
    return this.#facts.rootId;
  }

  /** It is a scope in a worker only. */
  get inRun(): boolean {
    return true;
  }

  get task(): this {
    return this;
  }

  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      // A body may hand its signal to as many as it likes.
      setMaxListeners(0, this.#controller.signal);
      if (this.#reason !== undefined) this.#controller.abort(this.#reason);
      else this.#followAll();
    }
    return this.#controller.signal;
  }

  /** Why the run was told to stop, if it was. */
  get stopped(): unknown {
    return this.#reason;
  }

  /** Tells the body to stop. The first reason stands. */
  stop(reason: unknown): void {
    if (this.#reason !== undefined) return;
    this.#reason = reason;
    this.#controller?.abort(reason);
  }

  /** The body has returned: nothing tells it to stop any more. */
  ended(): void {
    for (const unfollow of this.#unfollow.splice(0)) unfollow();
  }

  async progress(value: unknown): Promise<void> {
    await this.#facts.report?.(value);
  }

  retry(options: { delay?: Duration; error?: unknown } = {}): never {
    this.#mustHaveQueue('retry');
    const delay = options.delay === undefined ? undefined : milliseconds(options.delay, 'delay');
    throw new Later('retry', delay, options.error);
  }

  defer(after: Duration): never {
    this.#mustHaveQueue('defer');
    throw new Later('defer', milliseconds(after, 'after'));
  }

  #mustHaveQueue(verb: string): void {
    if (!this.#facts.direct) return;
    throw new ConfigError(
      `${this.name} was called directly, so it has no queue to go back to: ${verb}() needs a worker`,
    );
  }

  #followAll(): void {
    const { direct, permits } = this.#facts;
    if (direct?.within) this.#follow(direct.within.signal);
    for (const permit of direct?.permits ?? permits) this.#follow(permit.signal);
  }

  #follow(signal: AbortSignal): void {
    const onAbort = () => this.stop(signal.reason);
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    this.#unfollow.push(() => signal.removeEventListener('abort', onAbort));
  }
}
