import { BrokerUnavailableError } from '../../errors.js';
import type { Taken } from '../broker.js';
import type { RedisDelivery } from './delivery.js';
import type { Lane, Receive, RoomHead } from './lane.js';
import type { Settlement } from './settlement.js';

/** A delivery that ends with a take. */
export interface Ending {
  readonly lane: Lane;
  readonly deliveries: readonly RedisDelivery[];
  readonly settlement: Settlement;
}

/** What a take came to; nothing when what it found was no message and was set aside. */
export type Got = Taken | undefined;

interface Wanted extends RoomHead {
  /** The delivery to settle before. */
  readonly ending: Ending | undefined;
  /** What becomes of what was taken. */
  readonly receive: Receive<Got>;
  readonly onError: (error: unknown) => void;
}

/**
 * The message that comes first of all rooms of a resource.
 *
 * With one queue that is one step. Queues may be on different servers, so with several it is two: the delivery is settled
 * while each is asked what comes first, and then it is taken from there. If the process dies in between, nothing was
 * taken; if somebody else was quicker, the one that follows is.
 */
export async function takeFirst(lanes: readonly Lane[], wanted: Wanted): Promise<Got> {
  const { ending, receive, onError } = wanted;
  if (lanes.length === 1) {
    const [lane] = lanes as [Lane];
    return await lane.take(wanted, ending ? [ending.settlement] : [], receive);
  }
  const settling = ending?.lane.settle([ending.settlement]) ?? true;
  const found = takeFromSeveral(lanes, wanted, settling);
  if (!ending) return await found;
  found.catch(() => {});
  if (!(await settling)) return { kind: 'void' };
  return await found.catch((error): Got => {
    // The delivery is settled all the same, and whoever stands in line for the room takes from it.
    onError(error);
    return { kind: 'empty' };
  });
}

async function takeFromSeveral(
  lanes: readonly Lane[],
  { resource, weight, receive }: Wanted,
  settling: boolean | Promise<boolean>,
): Promise<Got> {
  const asked = lanes.map(async (lane) => ({ lane, head: await lane.head(resource) }));
  const [heads, settled] = await Promise.all([Promise.all(asked), settling]);
  const found = settled ? heads.filter(({ head }) => head !== undefined) : [];
  found.sort((a, b) => ((a.head?.rank ?? '') < (b.head?.rank ?? '') ? -1 : 1));
  for (const { lane, head } of found) {
    if (head?.weight !== weight) return { kind: 'other', weight: head?.weight ?? 1 };
    const got = await lane.take({ resource, weight }, [], receive);
    if (got?.kind !== 'empty') return got;
  }
  return { kind: 'empty' };
}

/** To say that its rooms are empty would let whoever stands in line for them go. */
export function unknownWorker(): BrokerUnavailableError {
  const cause = new Error('this worker did not beat for its lease, was declared dead, and joins again');
  return new BrokerUnavailableError('redis', { cause });
}
