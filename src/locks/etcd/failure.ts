import { ConfigError } from '../../errors.js';

/** The lease that a key was to be tied to has ended: nothing was done, and all keys of that lease are gone. */
export class LeaseGone extends Error {}

/** Codes of gRPC that mean: this will be refused again. Of an argument, a permission, a precondition, a method, a user. */
const final = new Set([3, 7, 9, 12, 16]);

/**
 * What a failed call comes to, or nothing when it may be repeated: a connection that is gone, a member that does not answer,
 * an election, a token that has run out. etcd3 makes errors of its own of what gRPC says and keeps the code in the text.
 */
export function finalFailure(error: unknown, etcd: string): Error | undefined {
  if (error instanceof ConfigError) return error;
  const { message = String(error), code } = error as { message?: string; code?: unknown };
  if (message.includes('requested lease not found')) return new LeaseGone();
  if (message.includes('invalid auth token')) return undefined;
  const known = typeof code === 'number' ? code : Number(/^(?:\w+: )?(\d+) [A-Z_]+:/.exec(message)?.[1]);
  if (!final.has(known)) return undefined;
  return new ConfigError(`etcd (${etcd}) refuses, and will again: ${message}`, { cause: error });
}
