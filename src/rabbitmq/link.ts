import { systemClock } from '../clock.js';
import { ClosedError, ConfigError, LockkeeperError } from '../errors.js';
import { inTime } from '../in-time.js';
import { isMisconfiguration } from './client.js';

/** Who uses a connection, and how it tells that RabbitMQ did not answer. */
export interface LinkUser {
  /** For errors: `The rabbitmq broker`. */
  readonly what: string;
  readonly unavailable: (cause: unknown) => LockkeeperError;
}

/** How long a step may take, in milliseconds. */
export const stepTimeout = 5_000;

/** The answer of a step, if it comes in time. Nothing is told to the server: its answer, when it comes, is ignored. */
export function answered<T>(step: Promise<T>, timeout = stepTimeout): Promise<T> {
  return inTime(systemClock, step, timeout, () => new Error(`no answer in ${timeout} ms`));
}

/**
 * What a step's failure means: this end is closed, something is set up wrongly, or it is not known whether it took effect.
 */
export function told(user: LinkUser, error: unknown, isClosed: boolean): Error {
  if (isClosed) return new ClosedError(user.what);
  if (error instanceof LockkeeperError && !(error instanceof ClosedError)) return error;
  if (!isMisconfiguration(error)) return user.unavailable(error);
  return new ConfigError(`${user.what} is refused: ${(error as Error).message}`, { cause: error });
}
