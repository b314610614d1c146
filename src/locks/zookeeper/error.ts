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

const codes = new Map([
  [-101, 'NO_NODE'],
  [-110, 'NODE_EXISTS'],
  [-111, 'NOT_EMPTY'],
  [-103, 'BAD_VERSION'],
]);

/** Of a step of a transaction. */
export function reasonOf(code: number): string {
  return codes.get(code) ?? `error ${code}`;
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
