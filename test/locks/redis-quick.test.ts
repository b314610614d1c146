import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CoordinatorUnavailableError } from '../../src/errors.js';
import type { Coordinator } from '../../src/locks/coordinator.js';
import { redisCoordinator } from '../../src/locks/redis.js';
import { ask, busy, enters, exit, granted, hold, newId, soon } from '../conformance/coordinator/kit.js';
import { errorOf } from '../support/error-of.js';
import { useRedis } from '../support/servers/index.js';
import { until } from '../support/until.js';
import { useKeys } from './redis-kit.js';

const server = useRedis();
const keys = useKeys(() => server.url);

type Calls = (words: readonly unknown[], call: () => Promise<unknown>) => Promise<unknown>;

describe.each(['native', 'string'] as const)('a resource that was free the last time: %s', (layout) => {
  let client: Redis;
  /** Sees every call of a script, and may do something else in its place. */
  let onScript: Calls;
  let party: Coordinator;
  let other: Coordinator;

  beforeEach(() => {
    client = new Redis(server.url).on('error', () => {});
    onScript = (_, call) => call();
    const send = client.call.bind(client) as (command: string, words: unknown[]) => Promise<unknown>;
    client.call = ((command: string, words: unknown[]) => {
      const call = () => send(command, words);
      return command === 'evalsha' ? onScript(words, call) : call();
    }) as never;
    party = redisCoordinator(client, { layout, prefix: keys.prefix });
    other = redisCoordinator(server.url, { layout, prefix: keys.prefix });
  });
  afterEach(async () => {
    await Promise.all([party.close(), other.close()]);
    client.disconnect();
    await keys.renew();
  });

  /** Names of resources that this side found free and used lately, so that it asked for them with fewer keys already. */
  async function used(count: number): Promise<string[]> {
    const names = Array.from({ length: count }, () => keys.name());
    for (const name of [...names, ...names, ...names]) await exit(party, name, await hold(party, name));
    return names;
  }

  /** What the calls of a script have been, until now. */
  function watch(): { words: readonly unknown[]; reply: unknown }[] {
    const calls: { words: readonly unknown[]; reply: unknown }[] = [];
    onScript = async (words, call) => {
      const reply = await call();
      calls.push({ words, reply });
      return reply;
    };
    return calls;
  }

  it('is asked for with fewer keys, and given back', async () => {
    const [name] = (await used(1)) as [string];
    const calls = watch();

    const id = await hold(party, name);
    expect(await enters(other, name)).toBe(false);
    await exit(party, name, id);

    expect(calls.map(({ words }) => words[1])).toEqual(layout === 'native' ? [1, 1] : [2, 1]);
    expect(await enters(other, name)).toBe(true);
  });

  it('is asked for again with all keys when it is held by now, and those beside it are not', async () => {
    const names = (await used(4)) as [string, string, string, string];
    const [, free, held] = names;
    await hold(other, held);
    const calls = watch();

    // The first goes at once, and the others together.
    const all = names.map(async (name) => await party.enter(ask(name, newId())));
    const [first, second, third, fourth] = await Promise.all(all);

    granted(first!);
    granted(second!);
    busy(third!);
    granted(fourth!);
    expect(calls).toHaveLength(3);
    expect(JSON.stringify(calls[2]!.words)).toContain(held);
    expect(JSON.stringify(calls[2]!.words)).not.toContain(free);
  });

  it('is not granted while it is paused', async () => {
    const [name] = (await used(1)) as [string];
    await other.pause(name, 300, soon);
    expect(await enters(party, name)).toBe(false);
    await until(() => enters(party, name));
  });

  it('is granted under a higher token when all that was known of it has gone', async () => {
    const [name] = (await used(1)) as [string];
    const id = newId();
    const [before] = granted(await party.enter(ask(name, id))).grants;
    await exit(party, name, id);
    const known = await keys.client.keys(`*${name}*`);
    await keys.client.del(...known);

    const [after] = granted(await party.enter(ask(name, newId()))).grants;

    expect(after!.token).toBeGreaterThan(before!.token!);
    for (const key of await keys.client.keys(`*${name}*`)) expect(await keys.client.pttl(key)).not.toBe(-1);
  });

  it('is granted when the server has forgotten its scripts', async () => {
    const [name] = (await used(1)) as [string];
    await keys.client.call('script', 'flush');
    await exit(party, name, await hold(party, name));
    expect(await enters(other, name)).toBe(true);
  });

  it('is asked for once within the time there is, when the second answer does not come', async () => {
    const [free, held] = (await used(2)) as [string, string];
    await hold(other, held);
    let calls = 0;
    onScript = (_, call) => (++calls === 1 ? call() : new Promise(() => {}));

    const granting = party.enter(ask(free, newId(), { timeout: 500 }));
    const start = performance.now();
    const error = await errorOf(party.enter(ask(held, newId(), { timeout: 500 })));

    granted(await granting);
    expect(error).toBeInstanceOf(CoordinatorUnavailableError);
    expect(performance.now() - start).toBeLessThan(900);
  });

  it('is left alone by what goes wrong with another: who gave it back does not get it anew', async () => {
    const [free, ...held] = (await used(3)) as [string, string, string];
    for (const name of held) await hold(other, name);
    let calls = 0;
    onScript = async (_, call) => {
      if (++calls === 2) {
        await exit(party, free, id);
        throw new Error('ERR something of one of them');
      }
      return await call();
    };

    const id = newId();
    const granting = party.enter(ask(free, id));
    const others = held.map(async (name) => await party.enter(ask(name, newId())));
    for (const answer of await Promise.all(others)) busy(answer);

    granted(await granting);
    expect(await enters(other, free)).toBe(true);
  });
});
