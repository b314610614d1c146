import { ConfigError } from '../../errors.js';

/** The lease that a key was to be tied to has ended: nothing was done, and all keys of that lease are gone. */
export class LeaseGone extends Error {}

/** Codes of gRPC that mean: this will be refused again. Of an argument, a permission, a precondition, a method, a user. */
const final = new Set([3, 7, 9, 12, 16]);

/** Whether whoever is to sign in has to do so again: the token has run out, its member started anew, or users were changed. */
export function isTokenOutdated(error: unknown): boolean {
  const { message } = error as { message?: string };
  return /invalid auth token|revision of auth store is old/.test(String(message));
}

/**
 * What a failed call comes to, or nothing when it may be repeated: a connection that is gone, a member that does not answer,
 * an election, a token that has run out. The code of gRPC is there as a number, or in the text of an error of etcd3's own.
 */
export function finalFailure(error: unknown, etcd: string): Error | undefined {
  if (error instanceof ConfigError) return error;
  const { message = String(error), code } = error as { message?: string; code?: unknown };
  if (message.includes('requested lease not found')) return new LeaseGone();
  if (isTokenOutdated(error)) return undefined;
  const known = typeof code === 'number' ? code : Number(/^(?:\w+: )?(\d+) [A-Z_]+:/.exec(message)?.[1]);
  if (!final.has(known)) return undefined;
  return new ConfigError(`etcd (${etcd}) refuses, and will again: ${message}`, { cause: error });
}
