/** What this package uses of `redlock` 5.0.0-beta.2, whose own types cannot be found through its `exports`. */
declare module 'redlock' {
  /** What it asks of a client of a master. */
  interface RedlockClient {
    evalsha(hash: string, keys: number, args: (string | number)[]): Promise<unknown>;
    eval(script: string, keys: number, args: (string | number)[]): Promise<unknown>;
  }

  interface Votes {
    readonly quorumSize: number;
    readonly votesFor: ReadonlySet<RedlockClient>;
    readonly votesAgainst: ReadonlyMap<RedlockClient, Error>;
  }

  interface Executed {
    readonly attempts: readonly Promise<Votes>[];
  }

  interface Once {
    readonly retryCount: 0;
  }

  type Script = (standard: string) => string;

  /** A node has the key already, or not this lock. */
  export class ResourceLockedError extends Error {}

  export class ExecutionError extends Error implements Executed {
    readonly attempts: readonly Promise<Votes>[];
  }

  export class Lock {
    constructor(
      redlock: Redlock,
      resources: string[],
      value: string,
      attempts: readonly Promise<Votes>[],
      expiration: number,
    );
    readonly value: string;
    /** Milliseconds since 1970. */
    readonly expiration: number;
    readonly attempts: readonly Promise<Votes>[];
  }

  export default class Redlock {
    constructor(
      clients: Iterable<RedlockClient>,
      settings: { retryCount: 0 },
      scripts: { acquireScript: Script; extendScript: Script; releaseScript: Script },
    );
    /** Makes the value of the next lock. */
    _random(): string;
    acquire(resources: string[], duration: number, settings: Once): Promise<Lock>;
    extend(lock: Lock, duration: number, settings: Once): Promise<Lock>;
    release(lock: Lock, settings: Once): Promise<Executed>;
  }
}
