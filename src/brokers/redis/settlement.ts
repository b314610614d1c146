import { encode } from '../../message.js';
import type { Outcome, Parking } from '../broker.js';
import { type Handed, isEntry } from './handed.js';
import { orderOf, orderOfEntry, rankOf } from './layout.js';

/** What is to be known of a delivery to end it. */
export type Held = Pick<Handed, 'handle' | 'losses' | 'rank'>;

/** Of an entry that merely ends its handle is said, together with others. */
export type Settlement = { readonly entry: string } | readonly string[];

/** The arguments that end a delivery so, as the scripts read them. Throws for a message that cannot be encoded. */
export function settlement(held: Held, outcome: Outcome): Settlement {
  const { handle } = held;
  switch (outcome.kind) {
    case 'done':
    case 'failed':
    case 'skipped':
      return isEntry(handle) ? { entry: handle } : ['d', handle];
    case 'aside':
      return ['a', handle, outcome.reason];
    case 'again':
      return 'room' in outcome
        ? ['p', ...changed(held, outcome), ...parking(outcome.room)]
        : ['n', ...changed(held, outcome), wholeMs(outcome.after)];
  }
}

/** Settlements as the arguments of a step. */
export function argumentsOf(settlements: readonly Settlement[]): string[] {
  const entries: string[] = [];
  const others: string[] = [];
  for (const one of settlements) {
    if ('entry' in one) entries.push(one.entry);
    else others.push(...one);
  }
  return entries.length === 0 ? others : ['e', entries.join(' '), ...others];
}

function changed({ handle, rank, losses }: Held, { message }: Outcome & { kind: 'again' }): string[] {
  const order = rank === undefined ? orderOfEntry(handle) : orderOf(rank);
  return [handle, message.id, rankOf(message.priority, order), String(losses), encode(message)];
}

function parking({ resource, weight, capacity, countdown, deadline }: Parking): string[] {
  const until = deadline === undefined ? '' : wholeMs(deadline);
  return [until, resource, String(weight), String(capacity), wholeMs(countdown)];
}

/** As the scripts read milliseconds: whole, and none too few. */
export function wholeMs(ms: number): string {
  return ms > 0 ? String(Math.ceil(Math.min(ms, 1e15))) : '0';
}
