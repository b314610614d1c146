import type { Message } from '../../message.js';
import type { AmqpMessage } from '../../rabbitmq/client.js';
import type { RabbitDelivery } from './delivery.js';
import type { Lane } from './lane.js';
import type { Tap } from './tap.js';
import { messageIn } from './wire.js';

interface Wanted {
  readonly resource: string;
  readonly weight: number;
  /** The run before, of the same room. Its lane is asked first, by the tap that it came by. */
  readonly before: RabbitDelivery | undefined;
}

export type First =
  | {
      readonly lane: Lane;
      readonly raw: AmqpMessage;
      readonly message: Message;
      /** What holds it, where it was in a room. */
      readonly tap: Tap | undefined;
    }
  /** Of the message that comes first: it is left where it was. */
  | { readonly weight: number };

/** What the rooms of a resource have first; of several lanes, the first that has any. */
export async function takeFirst(
  lanes: readonly Lane[],
  { resource, weight, before }: Wanted,
): Promise<First | undefined> {
  const inTurn = before ? [before.lane, ...lanes.filter((lane) => lane !== before.lane)] : lanes;
  for (const lane of inTurn) {
    const held = lane === before?.lane ? before.tap : undefined;
    const found = await lane.taking.take(resource, weight, held);
    if (!found) continue;
    if ('weight' in found) return found;
    const { raw, tap, message = messageIn(lane.names, raw) } = found;
    return { lane, raw, message, tap };
  }
  return undefined;
}
