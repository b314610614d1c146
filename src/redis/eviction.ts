import type { RedisClient } from './client.js';

/** Servers that were looked at. */
const known = new Set<string>();

/**
 * Looks once whether this server may throw keys away when its memory is full, and warns of it: a lock, or a message, that
 * is thrown away is lost without anybody being told. Servers that do not let themselves be asked are left in peace.
 */
export function warnOfEviction(client: RedisClient, name: string): void {
  if (known.has(name)) return;
  known.add(name);
  client.call('info', ['memory']).then(
    (info) => {
      const policy = /^maxmemory_policy:(\S+)/m.exec(String(info))?.[1];
      if (policy === undefined || policy === 'noeviction') return;
      process.emitWarning(
        `Redis at ${name} has the maxmemory-policy "${policy}" and may throw locks and messages away when its memory is ` +
          'full. Set it to "noeviction"',
        { type: 'LockkeeperWarning', code: 'LOCKKEEPER_REDIS_EVICTS' },
      );
    },
    () => known.delete(name),
  );
}
