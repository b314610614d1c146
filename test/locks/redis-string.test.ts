import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/errors.js';
import type { Coordinator } from '../../src/locks/coordinator.js';
import { createLocks } from '../../src/locks/create-locks.js';
import { stringFeatures } from '../../src/locks/redis/features.js';
import { redisCoordinator } from '../../src/locks/redis.js';
import {
  ask,
  busy,
  enters,
  exit,
  granted,
  hold,
  newId,
  queued,
  soon,
} from '../conformance/coordinator/kit.js';
import { coordinatorSuite } from '../conformance/coordinator.js';
import { useShared } from '../support/servers/index.js';
import { until } from '../support/until.js';
import { useKeys } from './redis-kit.js';

const server = useShared('redis');
// The keys are the resources' names as they are, so they are kept from others in a database of their own.
const keys = useKeys(() => `${server.url}/1`);

coordinatorSuite('redis string', {
  features: stringFeatures,
  connect: async () => redisCoordinator(`${server.url}/1`, { layout: 'string', prefix: keys.prefix }),
  pass: async (ms) => sleep(ms),
  name: keys.name,
  idle: keys.none,
  cleanup: keys.renew,
});

const opened: Coordinator[] = [];

afterEach(async () => {
  for (const party of opened.splice(0)) await party.close();
});

function connect(layout: 'native' | 'string' | 'redis-semaphore' = 'string'): Coordinator {
  const party = redisCoordinator(`${server.url}/1`, { layout, prefix: keys.prefix });
  opened.push(party);
  return party;
}

describe('the layout string', () => {
  const token = async (party: Coordinator, resource: string, id = newId()) => {
    const [grant] = granted(await party.enter(ask(resource, id))).grants;
    await exit(party, resource, id);
    return grant!.token!;
  };

  it('is one key with the name of the resource, and a counter beside it', async () => {
    const party = connect();
    const resource = keys.name();
    const id = await hold(party, resource);
    expect((await keys.client.keys(`*${resource}*`)).sort()).toEqual([resource, `{${resource}}:fence`]);
    expect(await keys.client.get(resource)).toContain(JSON.stringify(id));
    expect(await keys.client.pttl(resource)).toBeGreaterThan(10_000);

    const other = connect('redis-semaphore');
    await hold(other, resource);
    expect(await keys.client.exists(`mutex:${resource}`)).toBe(1);
  });

  it('gives rising tokens, also when the counter has gone, or somebody has begun it anew', async () => {
    const party = connect();
    const resource = keys.name();
    const fence = `{${resource}}:fence`;
    const first = await token(party, resource);
    const second = await token(party, resource);
    expect(second).toBe(first + 1n);
    await keys.client.del(fence);
    const third = await token(party, resource);
    await keys.client.set(fence, 7);
    const fourth = await token(party, resource);
    expect([second < third, third < fourth]).toEqual([true, true]);
  });

  it('leaves no counter that lasts when a claim is asked for again', async () => {
    const party = connect();
    const resource = keys.name();
    const id = await hold(party, resource);
    await keys.client.del(`{${resource}}:fence`);

    granted(await party.enter(ask(resource, id)));

    expect(await keys.client.pttl(`{${resource}}:fence`)).not.toBe(-1);
    await exit(party, resource, id);
    await until(async () => (await keys.client.keys(`*${resource}*`)).length === 0);
  });

  it('is polled by those who wait, and leaves no place behind', async () => {
    const party = connect();
    const resource = keys.name();
    await hold(party, resource);
    const { retryAfter } = queued(await party.enter(ask(resource, newId(), { line: true })));
    expect(retryAfter).toBeGreaterThanOrEqual(100);
    expect(retryAfter).toBeLessThanOrEqual(250);
    expect((await party.inspect(resource, soon)).waiting).toEqual([]);
  });

  it('does not wait for the end of a key that has none', async () => {
    const party = connect();
    const resource = keys.name();
    await keys.client.set(resource, 'for ever');
    expect(busy(await party.enter(ask(resource, newId()))).retryAfter).toBeLessThanOrEqual(250);
    expect((await party.inspect(resource, soon)).holders).toMatchObject([
      { id: 'for ever', foreign: true, until: Number.POSITIVE_INFINITY },
    ]);
    expect(await party.evict({ resource, id: 'for ever' }, soon)).toBe(true);
    expect(await enters(party, resource)).toBe(true);
  });

  it('leaves alone a key that is no lock, and says so', async () => {
    const party = connect();
    const resource = keys.name();
    await keys.client.rpush(resource, 'data');
    const answer = party.enter(ask(resource, newId()));
    await expect(answer).rejects.toBeInstanceOf(ConfigError);
    await expect(answer).rejects.toThrow(/in use for something that is no lock/);
    await exit(party, resource, newId());
    expect(await keys.client.lrange(resource, 0, -1)).toEqual(['data']);
    await keys.client.del(resource);
  });

  it('tells a holder at once that its permit was taken away', async () => {
    const [party, other] = [connect(), connect()];
    const resource = keys.name();
    const id = await hold(party, resource);
    let calls = 0;
    party.wake({ resource, id }, () => calls++);
    await sleep(100);
    const before = calls;
    await other.evict({ resource, id }, soon);
    await until(() => calls > before);
  });

  it('books no starts, and says how to', async () => {
    const error = connect().book({
      ...{ resource: 'sms', id: newId(), limit: 1, per: 1_000, burst: 1, cost: 1, reach: 0, tolerance: 0 },
      ...soon,
    });
    await expect(error).rejects.toThrow(/declare the rate without `layout`/);
  });
});

describe('two layouts for one name', () => {
  it('are a matter of configuration, whichever is there first', async () => {
    const [native, string] = [connect('native'), connect('string')];
    const [one, other] = [keys.name(), keys.name()];
    await hold(native, one);
    await hold(string, other);

    for (const [party, resource, layout] of [
      [string, one, 'native'],
      [native, other, 'string'],
    ] as const) {
      const answer = party.enter(ask(resource, newId()));
      await expect(answer).rejects.toBeInstanceOf(ConfigError);
      await expect(answer).rejects.toThrow(`is kept in the layout '${layout}' by somebody`);
    }
    expect(await keys.client.exists(one, `{${one}}:fence`)).toBe(0);
  });

  it('are found out while it is held, though the counter has gone', async () => {
    const resource = keys.name();
    await hold(connect('string'), resource);
    await keys.client.del(`{${resource}}:fence`);
    await expect(connect('native').enter(ask(resource, newId()))).rejects.toBeInstanceOf(ConfigError);
  });

  it('may follow each other when the first is not used any more', async () => {
    const [native, string] = [connect('native'), connect('string')];
    const resource = keys.name();
    await exit(native, resource, await hold(native, resource));
    await until(async () => enters(string, resource), 10_000);
  });
});

describe('a resource that is declared in a layout', () => {
  it('is kept in it, and judged by what it can do', async () => {
    const coordinator = connect('native');
    const [nightly, storage] = [keys.name(), keys.name()];
    const locks = createLocks({
      coordinator,
      resources: { [nightly]: { layout: 'string' }, [storage]: { capacity: 2 } },
    });
    const permits = [await locks.acquire(nightly), await locks.acquire(storage)];
    expect(await keys.client.exists(nightly)).toBe(1);
    expect(await keys.client.exists(storage)).toBe(0);
    expect((await locks.inspect(nightly)).holders).toHaveLength(1);
    for (const permit of permits) await permit.release();
    expect(await keys.client.exists(nightly)).toBe(0);
    await locks.close();
  });

  it.each([
    [{ layout: 'string', capacity: 2 }, /redis coordinator keeps mutexes only/],
    [{ layout: 'string', rate: '5/s' }, /is a rate, which the redis coordinator cannot keep/],
    [{ layout: 'kazoo' }, /'native' or 'string' or 'redis-semaphore', got "kazoo"/],
  ] as const)('%j is rejected, with what is wrong about it', (options, message) => {
    const coordinator = connect('native');
    expect(() => createLocks({ coordinator, resources: { a: options } })).toThrow(message);
  });
});
