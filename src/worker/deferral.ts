import type { Parking } from '../brokers/broker.js';
import { changed } from '../changed.js';
import type { Clock } from '../clock.js';
import { MaxWaitError } from '../errors.js';
import type { Terms } from '../locks/terms.js';
import type { Message } from '../message.js';

/** A message without `maxWait` is told of when it has been put off for so long, in milliseconds. */
export const longWait = 600_000;

/** The message as it goes back because of a busy resource: no attempt is used. */
export function deferred(message: Message, clock: Clock): Message {
  const { deferrals, deferredAt = clock.wall() } = message;
  return changed(message, { deferrals: deferrals + 1, deferredAt, eta: undefined, refusedBy: undefined });
}

/** The message as it goes back for so many milliseconds. */
export function delayed(message: Message, after: number, clock: Clock): Message {
  return after > 0 ? changed(message, { eta: clock.wall() + after }) : message;
}

/** Milliseconds since the end of its delay; nothing when it had none. */
export function late({ eta }: Message, clock: Clock): number | undefined {
  return eta === undefined ? undefined : Math.max(0, clock.wall() - eta);
}

/** Milliseconds since it was first put off. */
export function waited(message: Message, clock: Clock): number {
  return message.deferredAt === undefined ? 0 : Math.max(0, clock.wall() - message.deferredAt);
}

/** Milliseconds for which it may still be put off. */
export function patienceLeft(message: Message, { limit }: Terms, clock: Clock): number {
  return limit.maxWait === undefined ? Number.POSITIVE_INFINITY : limit.maxWait - waited(message, clock);
}

export function maxWaitError(message: Message, { limit, resource }: Terms, clock: Clock): MaxWaitError {
  return new MaxWaitError(resource, waited(message, clock), limit.maxWait ?? 0);
}

/** Where it is parked, and until when. */
export function parking(message: Message, terms: Terms): Parking {
  const { resource, weight, capacity, limit } = terms;
  return { resource, weight, capacity, countdown: limit.countdown, deadline: deadline(message, terms) };
}

/** Milliseconds since 1970 at which somebody must look at the message even if its turn has not come. */
function deadline(message: Message, { limit }: Terms): number | undefined {
  const since = message.deferredAt ?? Number.POSITIVE_INFINITY;
  const patience = limit.maxWait ?? (message.warned ? Number.POSITIVE_INFINITY : longWait);
  const at = Math.min(message.expires ?? Number.POSITIVE_INFINITY, since + patience);
  return Number.isFinite(at) ? at : undefined;
}

/** The message as it comes back after a run, whatever that came to: its waiting begins anew. */
export function ran(message: Message): Message {
  return changed(message, {
    eta: undefined,
    refusedBy: undefined,
    deferredAt: undefined,
    warned: undefined,
    moves: undefined,
    booking: undefined,
  });
}
