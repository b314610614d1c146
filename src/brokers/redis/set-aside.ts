import type { Handed } from './handed.js';
import type { Lane } from './lane.js';
import { settlement } from './settlement.js';

interface Why {
  readonly reason: string;
  readonly onError: (error: unknown) => void;
}

/** What was handed over and is no message. When that fails, nobody here knows of it any more, and it goes back to the queue. */
export async function setAside(lane: Lane, handed: Handed, { reason, onError }: Why): Promise<void> {
  try {
    await lane.settle([settlement(handed, { kind: 'aside', reason })]);
  } catch (error) {
    lane.doubt();
    onError(error);
  }
}

/** Why a text is set aside, if it is larger than allowed: scripts that look at one by one say the same. */
export function tooLarge(text: string, largest: number): string | undefined {
  // No character takes more than three bytes of UTF-8, in UTF-16 units.
  if (3 * text.length <= largest) return undefined;
  const bytes = Buffer.byteLength(text);
  return bytes > largest ? `the message is ${bytes} bytes, and ${largest} are allowed` : undefined;
}
