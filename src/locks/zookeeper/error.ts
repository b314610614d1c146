import { ConfigError, CoordinatorUnavailableError } from '../../errors.js';

/** Why ZooKeeper, or its client, did not do what it was asked. `reason` is the name of its error code. */
export class ZooKeeperError extends Error {
  override readonly name = 'ZooKeeperError';

  constructor(
    readonly reason: string,
    options?: ErrorOptions,
  ) {
    super(reason, options);
  }
}

/** Answers that mean that it cannot be done until somebody mends a setting. */
const misconfigured: readonly string[] = ['NO_AUTH', 'AUTH_FAILED', 'INVALID_ACL'];

/** NO_NODE, NODE_EXISTS, NOT_EMPTY, BAD_VERSION. */
const collisions: readonly number[] = [-101, -110, -111, -103];

/** Whether a transaction failed because somebody else was first, so that it is worth looking again. */
export function isCollision(code: number): boolean {
  return collisions.includes(code);
}

/** Of what a transaction failed with. */
const reasons: Readonly<Record<number, string>> = {
  '-102': 'NO_AUTH',
  '-114': 'INVALID_ACL',
  '-115': 'AUTH_FAILED',
};

export function errorOf(code: number): ZooKeeperError {
  return new ZooKeeperError(reasons[code] ?? `error ${code}`);
}

/** What the client said, as one of ours. */
export function zooKeeperError(error: unknown): ZooKeeperError {
  return new ZooKeeperError((error as Error).name, { cause: error });
}

/** What a caller of the coordinator is told. */
export function toldToCallers(error: unknown): unknown {
  if (!(error instanceof ZooKeeperError)) return error;
  if (misconfigured.includes(error.reason)) {
    return new ConfigError(
      `ZooKeeper refuses: ${error.reason}. Check the user in the URL, and the access lists of its nodes`,
      { cause: error },
    );
  }
  return new CoordinatorUnavailableError('zookeeper', { cause: error });
}
