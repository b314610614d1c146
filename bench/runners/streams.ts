import { Redis } from 'ioredis';
import { newName } from '../support/names.js';
import { inThousands, type Runner } from './runner.js';

type Entry = [id: string, fields: string[]];

/**
 * Streams by ioredis and nothing else: as many entries as there are slots are read at once, and acknowledged and deleted
 * while the next are on their way. Nobody is taken care of who dies.
 */
export function streams(url: string): Runner {
  const redis = new Redis(url);
  const publisher = redis.duplicate();
  const stream = newName('raw');

  const text = (index: number) =>
    JSON.stringify({ id: `${stream}-${index}`, task: 'work', args: [index], sentAt: Date.now() });
  const add = (indices: readonly number[]) =>
    Promise.all(indices.map((index) => redis.xadd(stream, '*', 'm', text(index))));

  async function read(count: number, block: number): Promise<Entry[]> {
    const found = await redis.xreadgroup(
      'GROUP',
      'w',
      'me',
      'COUNT',
      count,
      'BLOCK',
      block,
      'STREAMS',
      stream,
      '>',
    );
    return (found as [string, Entry[]][] | null)?.[0]?.[1] ?? [];
  }

  async function work(tasks: number, concurrency: number, body: (index: number) => void): Promise<void> {
    await redis.xgroup('CREATE', stream, 'w', '0', 'MKSTREAM').catch(() => {});
    let ended: Promise<unknown> = Promise.resolve();
    for (let left = tasks; left > 0; ) {
      const entries = await read(concurrency, 1_000);
      if (entries.length === 0) continue;
      for (const [, [, json = '']] of entries) body(JSON.parse(json).args[0]);
      const ids = entries.map(([id]) => id);
      ended = Promise.all([redis.xack(stream, 'w', ...ids), redis.xdel(stream, ...ids)]);
      left -= entries.length;
    }
    await ended;
  }

  return {
    fill: (tasks) => inThousands(tasks, add),
    drain: (tasks, concurrency) => work(tasks, concurrency, () => {}),
    serve: async (begun) => {
      // Its reads end when it is closed.
      void work(Number.POSITIVE_INFINITY, 50, begun).catch(() => {});
      return (index) => publisher.xadd(stream, '*', 'm', text(index));
    },
    close: async () => {
      for (const one of [redis, publisher]) one.disconnect();
    },
  };
}
