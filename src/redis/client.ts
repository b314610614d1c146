import type { OnReply, ScriptWords } from './script-call.js';

/** No text: clients have a method for each command and for each script of their users. */
export const runScript = Symbol('runScript');

/**
 * What this package uses of ioredis, 5 or 6: a `Redis` and a `Cluster` are both one, also those of another copy of the
 * library.
 */
export interface RedisClient {
  readonly status: string;
  readonly isCluster: boolean;
  // biome-ignore lint/suspicious/noExplicitAny: the replies of Redis have no type
  call(command: string, args: (string | number)[]): Promise<any>;
  /**
   * As `call('evalsha', words)`, for less: of the clients that this package opens for a single server. `whenForgotten`:
   * what answers in place of a server that has not got the script. `onReply`: told of the reply when it is read,
   * before anybody who waits for it, in the async context of the connection.
   */
  // biome-ignore lint/suspicious/noExplicitAny: as above
  [runScript]?(words: ScriptWords, whenForgotten?: () => Promise<any>, onReply?: OnReply): Promise<any>;
  subscribe(...channels: string[]): Promise<unknown>;
  unsubscribe(...channels: string[]): Promise<unknown>;
  connect(): Promise<void>;
  disconnect(): void;
  // biome-ignore lint/suspicious/noExplicitAny: each event has its own
  on(event: string, listener: (...args: any[]) => void): unknown;
  // biome-ignore lint/suspicious/noExplicitAny: as above
  off(event: string, listener: (...args: any[]) => void): unknown;
}

/** A client that can be asked for another one like it. A `Redis` has its own `duplicate`, and so has a `Cluster`. */
export interface DuplicableClient extends RedisClient {
  // biome-ignore lint/suspicious/noExplicitAny: the two take different arguments
  duplicate(...args: any[]): RedisClient;
}

/** Whether something that was handed over can be used as a client. */
export function isRedisClient(value: unknown): value is DuplicableClient {
  const client = value as Partial<DuplicableClient> | null | undefined;
  return (
    typeof client?.call === 'function' &&
    typeof client.duplicate === 'function' &&
    typeof client.on === 'function' &&
    typeof client.status === 'string'
  );
}

/** Whether an error of a server, or of connecting to it, says that a setting is wrong: repeating it cannot help. */
export function isMisconfiguration(error: unknown): boolean {
  return (
    error instanceof Error &&
    /^(?:NOAUTH|WRONGPASS|NOPERM|WRONGTYPE|CROSSSLOT|ERR unknown command|ERR (?:DB|invalid DB) index|ERR Client sent AUTH|ERR invalid password)/.test(
      error.message,
    )
  );
}
