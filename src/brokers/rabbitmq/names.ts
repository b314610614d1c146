import { randomBytes } from 'node:crypto';
import { ConfigError } from '../../errors.js';

/** What a queue's parts are called in RabbitMQ. */
export interface Names {
  /** The name that this package knows it by. */
  readonly queue: string;
  /** Where messages wait for a worker. */
  readonly work: string;
  /** That is shared with Celery, and so are the messages in it. */
  readonly celery?: CeleryQueue | undefined;
  /** What was set apart. */
  readonly aside: string;
  /** A note for each room: see `keeper.ts`. */
  readonly notes: string;
  /** The steps of its ladder, and their exchanges, shortest delay first. */
  readonly ladder: readonly string[];
  /** What its workers are told through the exchange for news. */
  readonly news: string;
}

/** How Celery has declared a queue. */
export interface CeleryQueue {
  readonly maxPriority?: number | undefined;
}

/** RabbitMQ allows 255 bytes, and what is added needs some. */
const longest = 180;

/** Steps of the ladder. The shortest is 100 ms, and each is twice as long as the one before. */
export const steps = 12;

/** A queue that is shared with Celery is called there what Celery calls it; what is beside it is ours alone. */
export function namesOf(prefix: string, queue: string, celery?: CeleryQueue): Names {
  const own = `${prefix}.${queue}`;
  if (Buffer.byteLength(own) > longest) {
    throw new ConfigError(
      `The queue "${queue}" has a name that is too long for RabbitMQ: ${longest} bytes, with its prefix`,
    );
  }
  return {
    queue,
    work: celery ? queue : own,
    celery,
    aside: `${own}.aside`,
    notes: `${own}.rooms`,
    ladder: Array.from({ length: steps }, (_, step) => `${own}.delay.${100 * 2 ** step}`),
    news: own,
  };
}

/** The exchange that workers hear of each other by. */
export function newsExchange(prefix: string): string {
  return `${prefix}.news`;
}

/** A name that no queue has had before: see `rooms.ts`. */
export function newRoomName({ news }: Names): string {
  return `${news}.room.${randomBytes(12).toString('hex')}`;
}
