import type { Hearing } from '../../redis/channels.js';
import type { Room } from '../broker.js';
import { newsChannel } from './layout.js';
import type { RedisQueue } from './queue.js';

export interface NewsHost {
  /** Of the messages in hand. */
  readonly messageIds: string[];
  onRoom(room: Room): void;
  onRevoked(id: string): void;
  onError(error: unknown): void;
}

type RoomItem = readonly [resource: string, weight: string, capacity: string, countdown: string];
type Item = { readonly room: RoomItem } | { readonly revoked: string };

/**
 * What a worker is told of a queue: rooms that became non-empty, and ids that were revoked. When nothing could be heard
 * for a while, it looks for itself.
 */
export class News {
  readonly #queue: RedisQueue;
  readonly #host: NewsHost;
  #hearing: Hearing | undefined;
  #hasBegun = false;

  constructor(queue: RedisQueue, host: NewsHost) {
    this.#queue = queue;
    this.#host = host;
  }

  async join(): Promise<void> {
    const { link, keys } = this.#queue;
    this.#hearing = link.channels.hear(newsChannel(keys), {
      onMessage: (text) => this.#tell(JSON.parse(text) as Item),
      onHearing: () => void this.#onHearing(),
    });
    await link.heard(this.#hearing.begun);
    this.#hasBegun = true;
  }

  stop(): void {
    this.#hearing?.stop();
  }

  #tell(item: Item): void {
    if ('revoked' in item) this.#host.onRevoked(item.revoked);
    else this.#host.onRoom(roomFrom(item.room, this.#queue.name));
  }

  async #onHearing(): Promise<void> {
    if (!this.#hasBegun) return;
    try {
      for (const room of await this.#queue.rooms()) this.#host.onRoom(room);
      for (const id of await this.#queue.revokedAmong(this.#host.messageIds)) this.#host.onRevoked(id);
    } catch (error) {
      this.#host.onError(error);
    }
  }
}

function roomFrom([resource, weight, capacity, countdown]: RoomItem, queue: string): Room {
  return {
    queue,
    resource,
    weight: Number(weight),
    capacity: Number(capacity),
    countdown: Number(countdown),
  };
}
