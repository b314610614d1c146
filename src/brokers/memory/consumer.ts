import { ClosedError } from '../../errors.js';
import type { Message } from '../../message.js';
import type { Consumer, ConsumeOptions, Delivery, Outcome, Room, RoomRef, Taken, TakeOptions } from '../broker.js';
import { comesFirst, type Entry, type Held } from './entry.js';
import type { Pump, Served } from './pump.js';
import type { Commons, MemoryQueue } from './queue.js';
import type { MemoryRoom } from './room.js';

export class MemoryConsumer implements Consumer, Served {
  readonly #queues: readonly MemoryQueue[];
  readonly #options: ConsumeOptions;
  readonly #commons: Commons;
  readonly #pump: Pump;
  readonly #hand = new Set<Delivery>();
  readonly #entries = new WeakMap<Delivery, Entry>();
}
