import type { Delivery } from '../brokers/broker.js';
import type { Cancel, Clock } from '../clock.js';
import {
  MaxHoldError,
  PermitLostError,
  ShutdownError,
  SoftTimeLimitError,
  TimeLimitError,
} from '../errors.js';
import type { Lease } from '../locks/lease.js';
import type { PermitHandle, PermitUser } from '../locks/permit.js';
import { scope } from '../locks/scope.js';
import type { Message } from '../message.js';
import type { Soon } from '../soon.js';
import { argumentsOf } from '../tasks/arguments.js';
import { Later, type RunContext } from '../tasks/context.js';
import type { TaskRecord } from '../tasks/task.js';

/** How a body ended. */
export type BodyEnd =
  | { readonly kind: 'returned'; readonly value: unknown }
  | { readonly kind: 'threw'; readonly error: unknown }
  | { readonly kind: 'later'; readonly later: Later }
  /** It returned, but after its hard time limit. */
  | { readonly kind: 'overdue'; readonly error: TimeLimitError }
  /** It has not returned, and is not waited for any longer. */
  | { readonly kind: 'stuck'; readonly error: Error };

/** A body that runs, with all that may tell it to stop. */
export class ActiveRun implements PermitUser {
  /** Among those of its worker. */
  place = -1;
  readonly delivery: Delivery;
  readonly context: RunContext;
  readonly leases: readonly Lease[];
  /** On the clock's `now`. */
  readonly startedAt: number;
  /** It is not waited for any longer, and has not returned. */
  abandoned = false;
  /** At once when the body made no promise. */
  readonly end: Soon<BodyEnd>;

  readonly #clock: Clock;
  readonly #grace: number;
  readonly #permits: readonly PermitHandle[];
  #timer: Cancel | undefined;
  #overdue: TimeLimitError | undefined;
  #ended: BodyEnd | undefined;
  #give: ((end: BodyEnd) => void) | undefined;
  #hasReturned = false;
  #whenReturned: (() => void) | undefined;

  constructor(options: {
    delivery: Delivery;
    record: TaskRecord;
    leases: readonly Lease[];
    permits: readonly PermitHandle[];
    context: RunContext;
    clock: Clock;
    startedAt: number;
    /** Milliseconds. */
    grace: number;
  }) {
    const { record, delivery } = options;
    this.delivery = delivery;
    this.leases = options.leases;
    this.context = options.context;
    this.#permits = options.permits;
    this.startedAt = options.startedAt;
    this.#clock = options.clock;
    this.#grace = options.grace;
    this.#limitTime(record, delivery.message);
    for (const permit of this.#permits) permit.run = this;
    this.#start(record, argumentsOf(record, delivery.message));
    this.end =
      this.#ended ??
      new Promise((give) => {
        this.#give = give;
      });
  }

  #start(record: TaskRecord, args: readonly unknown[]): void {
    try {
      const value = scope.run(this.context, bodyOf, record, args);
      if (value instanceof Promise) {
        value.then(
          (there) => this.#over({ kind: 'returned', value: there }),
          (error) => this.#threw(error),
        );
      } else this.#over({ kind: 'returned', value });
    } catch (error) {
      this.#threw(error);
    }
  }

  #threw(error: unknown): void {
    this.#over(error instanceof Later ? { kind: 'later', later: error } : { kind: 'threw', error });
  }

  #over(end: BodyEnd): void {
    this.#timer?.();
    this.#tell(this.#overdue ? { kind: 'overdue', error: this.#overdue } : end);
    this.#returned();
  }

  /** What is told first stands. */
  #tell(end: BodyEnd): void {
    this.#ended ??= end;
    this.#give?.(end);
  }

  #returned(): void {
    this.#hasReturned = true;
    this.#whenReturned?.();
  }

  /** Resolves when the body has really returned. It is asked for once, if at all. */
  returned(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#hasReturned) resolve();
      else this.#whenReturned = resolve;
    });
  }

  /** It was judged, so its permits are its own no longer: the leases may go on to the next. */
  finish(): void {
    for (const permit of this.#permits) {
      permit.run = undefined;
      permit.finish();
    }
  }

  /** Stops waiting for the body, which loses its permits: from here on it may overlap the next holders. */
  abandon(error: Error): void {
    this.#timer?.();
    this.abandoned = true;
    this.#tell({ kind: 'stuck', error });
    for (const lease of this.leases) lease.abandon();
    // A worker that stops does not keep the slot for it either.
    if (error instanceof ShutdownError) this.#returned();
  }

  /** Tells the body to stop, because the worker does. */
  shutDown(): void {
    this.context.stop(new ShutdownError());
  }

  /** What the call says of its time counts for what the task says, each of the two by itself. */
  #limitTime({ settings }: TaskRecord, { timeLimit }: Message): void {
    const { soft = settings.soft, hard = settings.hard } = timeLimit ?? {};
    if (soft === undefined || (hard !== undefined && soft >= hard)) {
      if (hard !== undefined) this.#timer = this.#clock.after(hard, () => this.#pastHard(hard));
      return;
    }
    this.#timer = this.#clock.after(soft, () => {
      this.context.stop(new SoftTimeLimitError(soft));
      if (hard !== undefined) this.#timer = this.#clock.after(hard - soft, () => this.#pastHard(hard));
    });
  }

  #pastHard(limit: number): void {
    const error = new TimeLimitError(limit);
    this.#overdue = error;
    this.context.stop(error);
    this.#timer = this.#clock.after(this.#grace, () => this.abandon(error));
  }

  /** One of its permits tells it to stop. */
  told(reason: Error): void {
    if (reason instanceof PermitLostError && reason.loss === 'max-hold') {
      const told = this.context.stopped;
      this.abandon(told instanceof MaxHoldError ? told : reason);
    }
    this.context.stop(reason);
  }
}

/**
 * The body's value, or a promise of it. Every task comes through here, so it makes no function or promise without need.
 * What is thenable and no promise may only begin when it is asked, and must do so inside of the run.
 */
function bodyOf(record: TaskRecord, args: readonly unknown[]): unknown {
  const value = record.run(args);
  return isThenable(value) ? Promise.resolve(value) : value;
}

function isThenable(value: unknown): boolean {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function';
}
