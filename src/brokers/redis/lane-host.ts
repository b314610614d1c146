import type { Handed } from './handed.js';
import type { Lane } from './lane.js';

/** What a lane needs of its consumer. */
export interface LaneHost {
  readonly lease: number;
  /** The largest message to hand over, in bytes. */
  readonly largest: number;
  /** The handles of all that is in hand from this lane: what was received is, when `receive` returns. */
  handles(lane: Lane): string[];
  /** There may be something to fetch. Rejects when it cannot be. */
  look(lane: Lane, beat?: { mayBury: boolean }): Promise<void>;
  /** Whether there is a slot for what comes. */
  readonly hasRoom: boolean;
  /** Somebody has published. */
  woken(lane: Lane): void;
  /** The same, and this is in its hands already. */
  told(lane: Lane, handed: Handed): void;
  onError(error: unknown): void;
}
