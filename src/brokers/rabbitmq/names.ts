import { randomBytes } from 'node:crypto';
import { ConfigError } from '../../errors.js';

/** What a queue's parts are called in RabbitMQ. */
export interface Names {
  /** The name that this package knows it by. */
  readonly queue: string;
  /** Where messages wait for a worker. */
  readonly work: string;
  /** What was set apart. */
  readonly aside: string;
  /** A note for each room: see `keeper.ts`. */
  readonly notes: string;
  /** The steps of its ladder, and their exchanges, shortest delay first. */
  readonly ladder: readonly string[];
  /** What its workers are told through the exchange for news. */
  readonly news: string;
}

/** RabbitMQ allows 255 bytes, and what is added needs some. */
const longest = 180;

/** Steps of the ladder. The shortest is 100 ms, and each is twice as long as the one before. */
export const steps = 12;

export function namesOf(prefix: string, queue: string): Names {
  const work = `${prefix}.${queue}`;
  if (Buffer.byteLength(work) > longest) {
    throw new ConfigError(
      `The queue "${queue}" has a name that is too long for RabbitMQ: ${longest} bytes, with its prefix`,
    );
  }
  return {
    queue,
    work,
    aside: `${work}.aside`,
    notes: `${work}.rooms`,
    ladder: Array.from({ length: steps }, (_, step) => `${work}.delay.${100 * 2 ** step}`),
    news: work,
  };
}

/** The exchange that workers hear of each other by. */
export function newsExchange(prefix: string): string {
  return `${prefix}.news`;
}

/** A name that no queue has had before: see `room-queue.ts`. */
export function newRoomName({ work }: Names): string {
  return `${work}.room.${randomBytes(12).toString('hex')}`;
}
