import { createRequire } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { Mutex } from 'redis-semaphore';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLocks } from '../../src/locks/create-locks.js';
import type { Locks } from '../../src/locks/locks.js';
import { type Peer, startPython, startScript } from '../support/peer.js';
import { useShared } from '../support/servers/index.js';
import { useKeys } from './redis-kit.js';

/** Its own types cannot be found by its own `exports`. */
const { default: Redlock } = createRequire(import.meta.url)('redlock');

const server = useShared('redis');
const keys = useKeys(() => server.url);

/** Somebody else's lock on a name, and a number that it counts up under that lock. */
interface Other {
  /** Whether it got the lock within so many milliseconds. */
  acquire(ms: number): Promise<boolean>;
  release(): Promise<void>;
  /** Counts for so many milliseconds. Returns how often. */
  count(counter: string, ms: number): Promise<number>;
  end(): Promise<void>;
}

/** Nobody stands in line for these keys, so whoever comes back at once has it again. In milliseconds. */
const rest = 10;

/** The value is read and written in two steps, with time between for whoever should not be there. */
async function increment(client: Redis, counter: string): Promise<void> {
  const value = Number((await client.get(counter)) ?? 0);
  await sleep(1);
  await client.set(counter, value + 1);
}

async function redisPy(name: string): Promise<Other> {
  const port = new URL(server.url).port;
  const peer: Peer = await startPython(new URL('peers/redis_lock.py', import.meta.url), port, name);
  expect(await peer.next()).toBe('ready');
  return {
    acquire: async (ms) => (await peer.ask(`acquire ${ms / 1_000}`)) === 'held',
    release: async () => expect(await peer.ask('release')).toBe('released'),
    count: async (counter, ms) => Number(await peer.ask(`count ${counter} ${ms / 1_000}`)),
    end: () => peer.end(),
  };
}

async function inNode(
  client: Redis,
  acquire: (ms: number) => Promise<boolean>,
  release: () => Promise<void>,
): Promise<Other> {
  return {
    acquire,
    release,
    count: async (counter, ms) => {
      const end = performance.now() + ms;
      let done = 0;
      while (performance.now() < end) {
        if (!(await acquire(100))) continue;
        await increment(client, counter);
        await release();
        done++;
        await sleep(rest);
      }
      return done;
    },
    end: async () => client.disconnect(),
  };
}

async function redlock(name: string): Promise<Other> {
  const client = new Redis(server.url);
  const redlock = new Redlock([client], { retryDelay: 10, retryJitter: 5, automaticExtensionThreshold: 100 });
  redlock.on('error', () => {});
  let lock: { release(): Promise<unknown> } | undefined;
  return inNode(
    client,
    async (ms) => {
      lock = await redlock.acquire([name], 10_000, { retryCount: Math.ceil(ms / 10) }).catch(() => undefined);
      return lock !== undefined;
    },
    async () => {
      await lock?.release();
    },
  );
}

async function redisSemaphore(name: string): Promise<Other> {
  const client = new Redis(server.url);
  const mutex = (ms: number) =>
    new Mutex(client, name, { acquireTimeout: ms, retryInterval: 10, lockTimeout: 10_000 });
  let held = mutex(0);
  return inNode(
    client,
    async (ms) => {
      held = mutex(ms);
      return await held.tryAcquire();
    },
    () => held.release(),
  );
}

describe.each([
  ['redis-py', 'string', redisPy],
  ['redlock', 'string', redlock],
  ['redis-semaphore', 'redis-semaphore', redisSemaphore],
] as const)('a lock that %s knows too', (_, layout, connect) => {
  const name = `shared-${layout}-${connect.name}`;
  let other: Other;
  let locks: Locks;

  beforeAll(async () => {
    locks = createLocks({ coordinator: server.url, resources: { [name]: { layout } } });
    other = await connect(name);
  });
  afterAll(async () => {
    await other.end();
    await locks.close();
  });

  it('is not had by us while they hold it', async () => {
    expect(await other.acquire(1_000)).toBe(true);
    expect(await locks.tryAcquire(name)).toBeUndefined();
    const waiting = locks.acquire(name);
    await sleep(100);
    await other.release();
    await (await waiting).release();
  });

  it('is not had by them while we hold it', async () => {
    const permit = await locks.acquire(name);
    expect(await other.acquire(100)).toBe(false);
    await permit.release();
    expect(await other.acquire(1_000)).toBe(true);
    await other.release();
  });

  it('is not theirs to keep when ours was only renewed', async () => {
    const permit = await locks.acquire(name, { lease: '1s' });
    await sleep(1_500);
    expect(permit.held).toBe(true);
    expect(await other.acquire(50)).toBe(false);
    await permit.release();
  });

  it('is shown with its holder, and can be taken from it', async () => {
    expect(await other.acquire(1_000)).toBe(true);
    const { holders, capacity } = await locks.inspect(name);
    expect(capacity).toBe(1);
    expect(holders).toEqual([
      { id: expect.any(String), owner: '', weight: 1, since: 0, until: expect.any(Number), foreign: true },
    ]);
    expect(holders[0]!.until - Date.now()).toBeGreaterThan(5_000);

    expect(await locks.evict(name, holders[0]!.id)).toBe(true);

    const permit = (await locks.tryAcquire(name))!;
    expect((await locks.inspect(name)).holders).toMatchObject([{ foreign: false, token: permit.token }]);
    await permit.release();
    // Their key is gone, and they are told so when they release it, each in its own way.
    await other.release().catch(() => {});
  });

  it('loses no update of a number that both count up, each under its own lock', async () => {
    const counter = `${name}-counter`;
    const end = performance.now() + 2_000;
    const theirs = other.count(counter, 2_000);
    let ours = 0;
    while (performance.now() < end) {
      await locks.using(name, () => increment(keys.client, counter));
      ours++;
      await sleep(rest);
    }
    const sum = ours + (await theirs);
    expect(Number(await keys.client.get(counter))).toBe(sum);
    expect(Math.min(ours, sum - ours)).toBeGreaterThan(3);
  });
});

describe('the examples of sharing a lock with redis-py', () => {
  const example = (name: string) => new URL(`../../examples/sharing/${name}`, import.meta.url);

  it('run, one behind the other', async () => {
    await using node = await startScript(example('redis.ts'), server.url);
    await using python = await startPython(example('with_redis_py.py'), new URL(server.url).port);
    expect(await node.next()).toBe('Node holds nightly-report');
    expect(await python.next()).toBe('Python holds nightly-report');
    expect([await node.ended, await python.ended]).toEqual(['exit code 0', 'exit code 0']);
  });
});
