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
