import type { Message } from '../../message.js';
import type { AmqpMessage } from '../../rabbitmq/client.js';
import type { Lane } from './lane.js';
import type { Before } from './taking.js';
import type { Tap } from './tap.js';
import { messageIn } from './wire.js';

export type First =
  | {
      readonly lane: Lane;
      readonly raw: AmqpMessage;
      readonly message: Message;
      readonly tap: Tap | undefined;
    }
  /** Of the message that comes first: it is left where it was. */
  | { readonly weight: number };

/** What a resource's rooms in these lanes have first. The lane of the run before is the first to be asked. */
export async function takeFirst(
  lanes: readonly Lane[],
  {
    resource,
    weight,
    before,
  }: { resource: string; weight: number; before?: (Before & { lane: Lane }) | undefined },
): Promise<First | undefined> {
  const inTurn = before ? [before.lane, ...lanes.filter((lane) => lane !== before.lane)] : lanes;
  for (const lane of inTurn) {
    const found = await lane.taking.take(resource, weight, lane === before?.lane ? before : undefined);
    if (!found) continue;
    if ('weight' in found) return found;
    const { raw, tap, message = messageIn(lane.names, raw) } = found;
    return { lane, raw, message, tap };
  }
  return undefined;
}
