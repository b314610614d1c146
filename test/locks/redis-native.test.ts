import fc from 'fast-check';
import { Cluster, Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/clock.js';
import { ConfigError, CoordinatorUnavailableError } from '../../src/errors.js';
import type { Coordinator } from '../../src/locks/coordinator.js';
import { createLocks } from '../../src/locks/create-locks.js';
import { keysOf } from '../../src/locks/redis/keys.js';
import { type RedisCoordinatorOptions, redisCoordinator } from '../../src/locks/redis.js';
import {
  ask,
  book,
  busy,
  enters,
  exit,
  granted,
  hold,
  newId,
  renew,
  soon,
  standInLine,
} from '../conformance/coordinator/kit.js';
import { errorOf } from '../support/error-of.js';
import { startProxy, type TcpProxy } from '../support/proxy.js';
import { useRedis, useShared } from '../support/servers/index.js';
import { until } from '../support/until.js';
import { useKeys } from './redis-kit.js';

const server = useRedis();
const keys = useKeys(() => server.url);
const opened: Coordinator[] = [];

afterEach(async () => {
  for (const party of opened.splice(0).reverse()) await party.close();
  await keys.renew();
});

function connect(url = server.url, options: RedisCoordinatorOptions = {}): Coordinator {
  const party = redisCoordinator(url, { prefix: keys.prefix, ...options });
  opened.push(party);
  return party;
}

const settled = (calls: readonly unknown[]) => Promise.allSettled(calls.map(async (call) => await call));

describe('the keys of a resource', () => {
  const cluster = useShared('redis-cluster');
  const node = useKeys(() => /127\.0\.0\.1:\d+/.exec(cluster.url)![0]);

  const all = () => keys.client.keys(`*${keys.prefix}*`);

  it('are one, as long as one claim holds it and nobody waits', async () => {
    const party = connect();
    const [resource, id] = [keys.name(), newId()];
    for (let i = 0; i < 3; i++) {
      granted(await party.enter(ask(resource, id, { capacity: 3 })));
      await renew(party, resource, id);
      expect(await all()).toEqual([`${keys.prefix}:{${resource}}:state`]);
    }
    expect((await party.inspect(resource, soon)).holders).toHaveLength(1);
    busy(await party.enter(ask(resource, newId(), { capacity: 1, weight: 1 })));
  });

  it('expire, whatever becomes of their owners', async () => {
    const party = connect();
    const resource = keys.name();
    await hold(party, resource, { capacity: 2 });
    await hold(party, resource, { capacity: 2 });
    await standInLine(party, resource, { capacity: 2 });
    await party.pause(resource, 1_000, soon);
    await book(party, keys.name());
    const [lone, string] = [keys.name(), connect(undefined, { layout: 'string' })];
    await hold(party, lone);
    await hold(string, keys.name());
    await string.pause(keys.name(), 1_000, soon);

    const names = await all();

    expect(names.length).toBeGreaterThan(7);
    for (const name of names) expect(await keys.client.pttl(name), name).toBeGreaterThan(0);
  });

  it('last as long as an override that does not expire, and what has lapsed meanwhile does not stay', async () => {
    const party = connect();
    const resource = keys.name();
    await party.setCapacity(resource, 2, soon);
    await hold(party, resource, { lease: 200 });
    await hold(party, resource, { lease: 200 });
    await standInLine(party, resource, { placeLife: 200 });

    await until(() => enters(party, resource));
    await until(() => enters(party, resource));
    expect(await enters(party, resource)).toBe(false);
    expect((await party.inspect(resource, soon)).override).toEqual({ capacity: 2 });
    await party.setCapacity(resource, undefined, soon);
    for (const name of await all()) expect(await keys.client.pttl(name), name).toBeGreaterThan(0);
  });

  it('are in one slot of a cluster, and are nobody else’s', async () => {
    const slots = new Map<string, number>();
    const owners = new Map<string, string>();
    const name = fc.oneof(
      fc.string({ unit: fc.constantFrom('{', '}', '%', 'a', ':', '.') }),
      fc.string({ unit: 'binary' }),
    );
    const check = fc.asyncProperty(name, async (resource) => {
      const { shared: _, ...own } = keysOf('lk', resource);
      for (const key of Object.values(own)) {
        expect(owners.get(key) ?? resource).toBe(resource);
        owners.set(key, resource);
        const slot = slots.get(key) ?? Number(await node.client.call('cluster', 'keyslot', key));
        slots.set(key, slot);
      }
      expect(new Set(Object.values(own).map((key) => slots.get(key))).size).toBe(1);
    });
    await fc.assert(check, { numRuns: 200, examples: [['a'], ['{a}']] });
  });

  it('go to the slot that the name of the resource says', async () => {
    const slot = async (key: string) => await node.client.call('cluster', 'keyslot', key);
    for (const resource of ['storage', 'tenant:{acme}:storage', '{acme}']) {
      const { state, fence, shared } = keysOf('lk', resource);
      expect(shared).toBe(resource);
      expect([await slot(state), await slot(fence)]).toEqual([await slot(resource), await slot(resource)]);
    }
  });

  it.each(['text', 'hash'])('of a later version are left alone, and the error says so: %s', async (form) => {
    const party = connect();
    const resource = keys.name();
    const { state } = keysOf(keys.prefix, resource);
    if (form === 'text') await keys.client.set(state, '2 anything');
    else await keys.client.hset(state, 'version', '2');
    const claim = { resource, id: newId() };

    const calls = [
      party.enter(ask(resource, claim.id)),
      party.enter(ask(resource, [newId(), newId()], { capacity: 2 })),
      party.renew([{ ...claim, lease: 1_000 }], soon),
      party.exit([claim], soon),
      party.evict(claim, soon),
      party.inspect(resource, soon),
      party.setCapacity(resource, 2, soon),
      party.pause(resource, 1_000, soon),
      book(party, resource),
    ];

    for (const answer of await settled(calls)) {
      const { reason: error } = answer as PromiseRejectedResult;
      expect(error).toBeInstanceOf(ConfigError);
      expect(error.message).toMatch(/in version 2 of its layout, and this package knows version 1/);
      expect(error.message).toContain(resource);
    }
    expect(await all()).toEqual([state]);
    await keys.client.del(state);
  });

  it('that are something else are a matter of configuration, of their resource alone', async () => {
    const party = connect();
    const [bad, good] = [keys.name(), keys.name()];
    await keys.client.rpush(keysOf(keys.prefix, bad).state, 'what is this');

    const [refused, fine] = await Promise.allSettled([
      party.enter(ask(bad, newId())),
      party.enter(ask(good, newId())),
    ]);

    expect(refused).toMatchObject({ status: 'rejected', reason: { code: 'CONFIG' } });
    expect(fine).toMatchObject({ status: 'fulfilled', value: { kind: 'granted' } });
  });
});

describe('the calls to the server', () => {
  let proxy: TcpProxy;
  let calls = 0;

  beforeEach(async () => {
    proxy = await startProxy(server.url);
    calls = 0;
    proxy.onRequest((chunk) => {
      calls += chunk.toString('latin1').match(/evalsha|eval\r/g)?.length ?? 0;
    });
  });
  afterEach(() => proxy.stop());

  const through = () => connect(proxy.url(server.url));

  it('are two for a lock that is free', async () => {
    const locks = createLocks({ coordinator: through() });
    await (await locks.acquire(keys.name())).release();
    calls = 0;
    for (let i = 0; i < 5; i++) await (await locks.acquire(keys.name())).release();
    expect(calls).toBe(10);
    await locks.close();
  });

  it('are three for one that is waited for, and none is asked again before it is woken', async () => {
    const [holder, locks] = [connect(), createLocks({ coordinator: through() })];
    const resource = keys.name();
    const held = await hold(holder, resource);
    const permit = locks.acquire(resource);
    await until(async () => (await holder.inspect(resource, soon)).waiting.length === 1);
    const before = calls;
    await exit(holder, resource, held);
    await permit;
    // A try, the place, and the permit; before it is woken only the place is kept alive, once a second.
    expect(calls - before).toBeLessThanOrEqual(2);
    await (await permit).release();
    await locks.close();
  });

  it('go together when they are made at the same time', async () => {
    const party = through();
    await enters(party, keys.name());
    calls = 0;
    const resources = Array.from({ length: 100 }, () => keys.name());
    const ids = await Promise.all(resources.map((resource) => hold(party, resource)));
    await party.renew(
      resources.map((resource, i) => ({ resource, id: ids[i]!, lease: 60_000 })),
      soon,
    );
    await party.exit(
      resources.map((resource, i) => ({ resource, id: ids[i]! })),
      soon,
    );
    expect(calls).toBeLessThanOrEqual(3 * 5);
  });

  it('wake the first in line, and nobody else', async () => {
    const parties = Array.from({ length: 4 }, () => connect());
    const resource = keys.name();
    const held = await hold(parties[0]!, resource);
    const line = [];
    for (const party of parties) line.push(await standInLine(party, resource));
    const woken: string[] = [];
    for (const [i, id] of line.entries()) parties[i]!.wake({ resource, id }, () => woken.push(id));
    await until(() => woken.length >= 0);
    await keys.client.config('RESETSTAT');
    const published = async () =>
      Number(/cmdstat_publish:calls=(\d+)/.exec(await keys.client.info('commandstats'))?.[1] ?? 0);
    woken.length = 0;

    await exit(parties[0]!, resource, held);

    await until(() => woken.length > 0);
    expect(woken).toEqual([line[0]]);
    expect(await published()).toBe(1);
  });
});

describe('what is asked', () => {
  it('has no answer while the server is away, and one when it is back, without what it held', async () => {
    const party = connect();
    const [resource, id] = [keys.name(), newId()];
    granted(await party.enter(ask(resource, id)));
    await server.kill();

    const away = [
      party.enter(ask(resource, newId())),
      party.renew([{ resource, id, lease: 1_000 }], soon),
      party.exit([{ resource, id }], soon),
      party.inspect(resource, soon),
      book(party, keys.name()),
    ];
    for (const answer of await settled(away)) {
      expect((answer as PromiseRejectedResult).reason).toBeInstanceOf(CoordinatorUnavailableError);
    }

    await server.restart();
    await until(async () => (await renew(party, resource, id)) === 'lost');
    expect(await enters(party, resource)).toBe(true);
  });

  it('is answered in time by nobody else, when the server is frozen', async () => {
    const party = connect();
    const resource = keys.name();
    await hold(party, resource);
    await server.freeze();
    const start = performance.now();
    const error = await errorOf(party.enter(ask(resource, newId(), { timeout: 300 })));
    expect(performance.now() - start).toBeLessThan(2_000);
    await server.thaw();
    expect(error).toBeInstanceOf(CoordinatorUnavailableError);
    expect(error.message).toMatch(/redis coordinator is unavailable: no answer within 300 ms/);
  });

  it('is a matter of configuration where the password is wrong, or the user may not', async () => {
    await keys.client.call('acl', [
      'setuser',
      'reader',
      'on',
      '>secret',
      '+@read',
      '+@connection',
      '+info',
      '~*',
    ]);
    const address = server.url.replace('redis://', '');
    for (const user of ['reader:secret', 'reader:wrong']) {
      const error = await errorOf(connect(`redis://${user}@${address}`).enter(ask(keys.name(), newId())));
      expect(error).toBeInstanceOf(ConfigError);
      expect(error.message).not.toContain('secret');
    }
    await keys.client.call('acl', ['deluser', 'reader']);
  });

  it('is answered by the clock of the server, however far this side’s is from it', async () => {
    const shifted = (ms: number) => ({ ...systemClock, wall: () => Date.now() + ms });
    for (const minutes of [-10, 10]) {
      const ours = createLocks({ coordinator: connect(), clock: shifted(minutes * 60_000) });
      const theirs = createLocks({ coordinator: connect() });
      const resource = keys.name();
      const permit = await ours.acquire(resource, { lease: 1_000 });
      await new Promise((resolve) => setTimeout(resolve, 2_200));
      expect(permit.held).toBe(true);
      expect(await theirs.tryAcquire(resource)).toBeUndefined();
      await permit.release();
      const next = (await theirs.tryAcquire(resource))!;
      expect(next.token).toBeGreaterThan(permit.token);
      await theirs.close();
      await ours.close();
    }
  });
});

describe('numbers as large as they may be', () => {
  const most = Number.MAX_SAFE_INTEGER;

  it('are no limit to those who share a capacity', async () => {
    const party = connect();
    const resource = keys.name();
    const one = await hold(party, resource, { capacity: most });
    expect(await renew(party, resource, one)).toBe('kept');
    const two = await hold(party, resource, { capacity: most });
    for (const id of [one, two]) expect(await renew(party, resource, id)).toBe('kept');
    expect((await party.inspect(resource, soon)).holders).toHaveLength(2);
  });

  it('may be all of a capacity, and one waits for them', async () => {
    const [party, other] = [connect(), connect()];
    const resource = keys.name();
    const id = await hold(party, resource, { capacity: most, weight: most });
    const waiting = await standInLine(other, resource, { capacity: most, weight: most });
    expect(await renew(party, resource, id)).toBe('kept');
    await exit(party, resource, id);
    const options = { capacity: most, weight: most, line: true };
    expect(await enters(other, resource, waiting, options)).toBe(true);
  });

  it('are a lease that does not end', async () => {
    const party = connect();
    const resource = keys.name();
    for (let i = 0; i < 3; i++) {
      const id = await hold(party, resource, { lease: 1e14 });
      expect(await enters(party, resource)).toBe(false);
      expect(await renew(party, resource, id, 1e14)).toBe('kept');
      expect((await party.inspect(resource, soon)).holders).toHaveLength(1);
      await exit(party, resource, id);
    }
  });
});

describe('a client that was handed over', () => {
  const cluster = useShared('redis-cluster');

  it('is used and not closed', async () => {
    const client = new Redis(server.url);
    const party = redisCoordinator(client, { prefix: keys.prefix });
    const resource = keys.name();
    const connections = async () =>
      String(await client.call('client', 'list'))
        .trim()
        .split('\n').length;
    const before = await connections();
    const held = await hold(party, resource);
    await standInLine(party, resource);
    expect(await connections()).toBe(before + 1);
    await exit(party, resource, held);

    await party.close();

    await until(async () => (await connections()) === before);
    expect(client.listenerCount('error')).toBe(0);
    client.disconnect();
  });

  it('may put something before all keys', async () => {
    const client = new Redis(server.url, { keyPrefix: 'app:' });
    const party = redisCoordinator(client, { prefix: keys.prefix });
    opened.push(party);
    const resource = keys.name();
    const held = await hold(party, resource);
    expect(await keys.client.keys(`app:*${resource}*`)).toHaveLength(1);
    const waiting = await standInLine(party, resource);
    let calls = 0;
    party.wake({ resource, id: waiting }, () => calls++);
    await exit(party, resource, held);
    await until(() => calls > 0);
    await party.close();
    client.disconnect();
  });

  it('may be that of a cluster', async () => {
    const nodes = [...cluster.url.matchAll(/127\.0\.0\.1:(\d+)/g)].map(([, port]) => Number(port));
    const client = new Cluster(nodes.map((port) => ({ host: '127.0.0.1', port })));
    const [party, other] = [redisCoordinator(client), connect(cluster.url, { prefix: 'lk' })];
    for (const resource of [keys.name(), keys.name(), keys.name()]) {
      const held = await hold(party, resource);
      const waiting = await standInLine(other, resource);
      const listening = new Promise<void>((resolve) => {
        other.wake({ resource, id: waiting }, resolve);
      });
      await exit(party, resource, held);
      await listening;
      expect(await enters(other, resource, waiting, { line: true })).toBe(true);
      await exit(other, resource, waiting);
    }
    await party.close();
    expect(await client.ping()).toBe('PONG');
    client.disconnect();
  });
});

describe('the options', () => {
  it.each([
    [7, {}, /`redis` to be a URL, or a client of ioredis, got 7/],
    [{}, {}, /`redis` to be a URL, or a client of ioredis/],
    ['redis://a,b', {}, /several hosts/],
    ['redis:', { prefix: '' }, /`prefix` to be a text that is not empty/],
    ['redis:', { prefix: 'a b' }, /`prefix` to be a text without blanks and braces/],
    ['redis:', { prefix: '{a}' }, /`prefix` to be a text without blanks and braces/],
    ['redis:', { layout: 'kazoo' }, /`layout` to be 'native' or 'string' or 'redis-semaphore', got "kazoo"/],
    ['redis:', { prefixx: 'a' }, /no option `prefixx`/],
  ])('%j %j are rejected, with what is wrong about them', (redis, options, message) => {
    expect(() => redisCoordinator(redis as never, options as never)).toThrow(message);
  });

  it('may give the prefix in the URL', async () => {
    const party = redisCoordinator(`${server.url}?prefix=${keys.prefix}-url`);
    opened.push(party);
    await hold(party, 'storage');
    expect(await keys.client.keys(`${keys.prefix}-url*`)).toEqual([`${keys.prefix}-url:{storage}:state`]);
  });
});
