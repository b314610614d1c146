/**
 * Every error thrown on purpose. Each has a stable `code`, which survives two copies of the package and a journey
 * through a result store, and carries its data as fields.
 */
export abstract class LockkeeperError extends Error {
  abstract readonly code: string;

  override get name(): string {
    return this.constructor.name;
  }
}

/** A setting, an argument or a declaration is wrong. Mend what the message names; repeating the call cannot help. */
export class ConfigError extends LockkeeperError {
  readonly code = 'CONFIG';

  /** The one form in which a wrong value is reported. */
  static expected(name: string, what: string, got: unknown): ConfigError {
    return new ConfigError(`Expected \`${name}\` to be ${what}, got ${show(got)}`);
  }
}

/** The resource has no room now. Only `onBusy: 'fail'`, `'skip'` in a direct call, and tries inside a run throw it. */
export class BusyError extends LockkeeperError {
  readonly code = 'BUSY';

  constructor(
    readonly resource: string,
    /** Milliseconds after which asking again may help, as far as the coordinator can tell. */
    readonly retryAfter: number,
    /** What there is none of. */
    what: 'permit' | 'start' = 'permit',
  ) {
    super(
      `"${resource}" is busy: ${what === 'permit' ? 'all of its capacity is held' : 'no start is free now'}`,
    );
  }
}

/** The fair line was waited in for `waitTimeout`, and the resource stayed busy. */
export class LockTimeoutError extends LockkeeperError {
  readonly code = 'LOCK_TIMEOUT';

  constructor(
    readonly resource: string,
    /** Milliseconds waited. */
    readonly waited: number,
  ) {
    super(`"${resource}" stayed busy for ${waited} ms, which is as long as \`waitTimeout\` allows`);
  }
}

/** The permit may by now be held by another worker, so whoever held it must stop. */
export class PermitLostError extends LockkeeperError {
  readonly code = 'PERMIT_LOST';

  constructor(
    readonly resource: string,
    readonly loss: LossCause,
    options?: ErrorOptions,
  ) {
    super(`Lost the permit for "${resource}": ${lossText[loss]}`, options);
  }
}

/** How a permit was lost: its deadline passed unrenewed, the coordinator disowned it, or it was held past `maxHold`. */
export type LossCause = 'deadline' | 'not-owner' | 'max-hold';

const lossText: Record<LossCause, string> = {
  deadline: 'its lease ended before it could be renewed',
  'not-owner': 'the coordinator no longer knows it (evicted, or expired there)',
  'max-hold': 'it was held for longer than `maxHold`, and the body did not return within `abortGrace`',
};

/** The permit has been given back, or its run is over. */
export class PermitReleasedError extends LockkeeperError {
  readonly code = 'PERMIT_RELEASED';

  constructor(readonly resource: string) {
    super(`The permit for "${resource}" is not held any more: it was released`);
  }
}

/** The coordinator did not answer in time or could not be reached. Whether the call took effect is not known. */
export class CoordinatorUnavailableError extends LockkeeperError {
  readonly code = 'COORDINATOR_UNAVAILABLE';

  constructor(
    readonly coordinator: string,
    options?: ErrorOptions,
  ) {
    super(`The ${coordinator} coordinator is unavailable${reasonOf(options?.cause)}`, options);
  }
}

/** The broker did not answer in time or could not be reached. Whether the call took effect is not known. */
export class BrokerUnavailableError extends LockkeeperError {
  readonly code = 'BROKER_UNAVAILABLE';

  constructor(
    readonly broker: string,
    options?: ErrorOptions,
  ) {
    super(`The ${broker} broker is unavailable${reasonOf(options?.cause)}`, options);
  }
}

/** The result store did not answer in time or could not be reached. Whether the call took effect is not known. */
export class ResultStoreUnavailableError extends LockkeeperError {
  readonly code = 'RESULT_STORE_UNAVAILABLE';

  constructor(
    readonly store: string,
    options?: ErrorOptions,
  ) {
    super(`The ${store} result store is unavailable${reasonOf(options?.cause)}`, options);
  }
}

/** A part was used after its `close()`. */
export class ClosedError extends LockkeeperError {
  readonly code = 'CLOSED';

  constructor(what: string) {
    super(`${what} is closed`);
  }
}

/** A value cannot travel as JSON, or is too large. Thrown where the task is called, before anything is sent. */
export class MessageError extends LockkeeperError {
  readonly code = 'MESSAGE';
}

/** What arrived is not a message. Brokers set it aside with this reason. */
export class MalformedMessageError extends LockkeeperError {
  readonly code = 'MALFORMED_MESSAGE';
}

/** The task was not run: its resource was busy and its limit says `onBusy: 'skip'`. */
export class TaskSkippedError extends LockkeeperError {
  readonly code = 'SKIPPED';

  constructor(
    readonly taskId: string,
    readonly reason: string,
  ) {
    super(`Task ${taskId} was skipped: ${reason}`);
  }
}

/** The task was revoked before it finished. */
export class TaskRevokedError extends LockkeeperError {
  readonly code = 'REVOKED';

  constructor(readonly taskId: string) {
    super(`Task ${taskId} was revoked`);
  }
}

/** The task's `expires` passed before it could run. */
export class TaskExpiredError extends LockkeeperError {
  readonly code = 'EXPIRED';

  constructor(readonly taskId: string) {
    super(`Task ${taskId} expired before it could run`);
  }
}

/** The message was set aside for an operator. Nothing is lost: mend the reason and replay it. */
export class TaskSetAsideError extends LockkeeperError {
  readonly code = 'ASIDE';

  constructor(
    readonly taskId: string,
    readonly reason: string,
  ) {
    super(`Task ${taskId} was set aside: ${reason}`);
  }
}

/** The task was deferred for as long as its `maxWait` allows, and its resource was still busy. */
export class MaxWaitError extends LockkeeperError {
  readonly code = 'MAX_WAIT';

  constructor(
    readonly resource: string,
    /** Milliseconds since the first deferral. */
    readonly waited: number,
    /** Milliseconds allowed. */
    readonly maxWait: number,
  ) {
    super(`"${resource}" was busy: ${waited} ms since the first deferral, and \`maxWait\` is ${maxWait} ms`);
  }
}

/** The soft time limit passed: the run should finish what it can and return. What it returns still counts. */
export class SoftTimeLimitError extends LockkeeperError {
  readonly code = 'SOFT_TIME_LIMIT';

  constructor(readonly limit: number) {
    super(`The run is longer than its soft time limit of ${limit} ms`);
  }
}

/** The hard time limit passed: the run has failed, whatever it returns. */
export class TimeLimitError extends LockkeeperError {
  readonly code = 'TIME_LIMIT';

  constructor(readonly limit: number) {
    super(`The run is longer than its time limit of ${limit} ms`);
  }
}

/** The run held a permit for longer than `maxHold`. */
export class MaxHoldError extends LockkeeperError {
  readonly code = 'MAX_HOLD';

  constructor(
    readonly resource: string,
    readonly maxHold: number,
  ) {
    super(`The permit for "${resource}" was held for longer than its \`maxHold\` of ${maxHold} ms`);
  }
}

/** The worker is shutting down and its drain time is over. The task will run again elsewhere. */
export class ShutdownError extends LockkeeperError {
  readonly code = 'SHUTDOWN';

  constructor() {
    super('The worker is shutting down');
  }
}

/** No result came within the time-out of `get()`. The task itself goes on. */
export class ResultTimeoutError extends LockkeeperError {
  readonly code = 'RESULT_TIMEOUT';

  constructor(
    readonly taskId: string,
    readonly timeout: number,
  ) {
    super(`Task ${taskId} had no result within ${timeout} ms`);
  }
}

function reasonOf(cause: unknown): string {
  return cause instanceof Error && cause.message ? `: ${cause.message}` : '';
}

/** A value as it stands in an error message: short, and never the inside of an object that may bear a secret. */
export function show(value: unknown): string {
  if (typeof value === 'string')
    return JSON.stringify(value.length > 80 ? `${value.slice(0, 77)}...` : value);
  if (typeof value === 'bigint') return `${value}n`;
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'function') return `the function ${value.name || '(anonymous)'}`;
  if (typeof value === 'object' && value !== null)
    return `an object (${value.constructor?.name ?? 'no class'})`;
  return String(value);
}
