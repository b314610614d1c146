import { systemClock } from '../../clock.js';
import { inTime } from '../../in-time.js';
import { RedisConnection } from '../../redis/connection.js';
import type { RedisSource } from '../../redis/open.js';

/**
 * One of the masters. Every call ends within `patience` milliseconds, whatever the master does.
 *
 * A call that nobody waits for any more may still take effect. Whatever is called after it on the same master goes the same
 * way and arrives behind it, so giving up is undone by calling the opposite.
 */
export class Master {
  readonly name: string;
  readonly #connection: RedisConnection;

  constructor(source: RedisSource) {
    this.name = source.name;
    this.#connection = new RedisConnection(source);
  }

  // biome-ignore lint/suspicious/noExplicitAny: the replies of Redis have no type
  call(command: string, args: readonly (string | number)[], patience: number): Promise<any> {
    const late = () => new Error(`no answer from ${this.name} within ${patience} ms`);
    const answer = this.#connection.ready(patience).then((client) => client.call(command, [...args]));
    return inTime(systemClock, answer, patience, late);
  }

  close(): Promise<void> {
    return this.#connection.close();
  }
}
