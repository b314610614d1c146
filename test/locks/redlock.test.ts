import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { createLocks } from 'lockkeeper';
import { redlockCoordinator } from 'lockkeeper/redlock';
import { describe, expect, it } from 'vitest';
import { enters, exit, hold, newId } from '../conformance/coordinator/kit.js';
import { coordinatorSuite } from '../conformance/coordinator.js';
import { useRedis } from '../support/servers/index.js';
import { until } from '../support/until.js';

const masters = [useRedis(), useRedis(), useRedis()];
const urls = () => masters.map(({ url }) => url);
/** What the names of this test begin with. */
let prefix = randomUUID();
const newName = () => `${prefix}-${randomUUID()}`;

coordinatorSuite('redlock over three masters', {
  features: {
    fair: false,
    fencing: false,
    weighted: false,
    semaphore: false,
    rate: false,
    survivesFailover: true,
    minLease: 100,
  },
  connect: async () => redlockCoordinator(urls()),
  pass: async (ms) => sleep(ms),
  name: newName,
  idle: async () => {
    const clients = urls().map((url) => new Redis(url));
    const keys = await Promise.all(clients.map((client) => client.keys(`*${prefix}*`)));
    for (const client of clients) client.disconnect();
    return keys.flat().length === 0;
  },
  cleanup: async () => {
    prefix = randomUUID();
  },
  histories: 4,
});

describe('redlock', () => {
  it.each([
    [[], /odd number of masters from 3 up, got 0/],
    [['redis://a'], /odd number of masters from 3 up, got 1/],
    [['redis://a', 'redis://b', 'redis://c', 'redis://d'], /from 3 up, got 4/],
    ['redis://a', /from 3 up, got "redis:\/\/a"/],
    [['redis://a', 'redis://b', 'redis://a'], /one master twice/],
    [['redis://a', 'redis+cluster://b,c', 'redis://d'], /masters\[1\]` is a cluster/],
    [['redis://a', 7, 'redis://c'], /masters\[1\]` to be the URL of a Redis, or a client of ioredis, got 7/],
  ])('takes no masters that cannot be: %j', (given, message) => {
    expect(() => redlockCoordinator(given as string[])).toThrow(message);
  });

  it('says that it has no token, instead of giving one', async () => {
    const coordinator = redlockCoordinator(urls());
    const locks = createLocks({ coordinator });
    const permit = await locks.acquire(newName());
    expect(() => permit.token).toThrow(/no fencing/);
    await locks.close();
    await coordinator.close();
  });

  it('is refused a capacity, a weight and a rate where they are declared', async () => {
    const coordinator = redlockCoordinator(urls());
    const declare = (options: object) => () => createLocks({ coordinator, resources: { a: options } });
    expect(declare({ capacity: 2 })).toThrow(/mutexes only/);
    expect(declare({ rate: '5/s' })).toThrow(/redlock coordinator cannot keep/);
    await coordinator.close();
  });

  it('leaves clients that were handed over to their owner', async () => {
    const clients = urls().map((url) => new Redis(url));
    const coordinator = redlockCoordinator(clients);
    const name = newName();
    await exit(coordinator, name, await hold(coordinator, name));
    await coordinator.close();
    expect(await Promise.all(clients.map((client) => client.ping()))).toEqual(['PONG', 'PONG', 'PONG']);
    for (const client of clients) client.disconnect();
  });

  it('locks the key that bears the name of the resource, on every master', async () => {
    const coordinator = redlockCoordinator(urls());
    const [name, client] = [newName(), new Redis(masters[2]!.url)];
    const id = await hold(coordinator, name, { lease: 10_000 });
    await until(async () => (await client.get(name))?.startsWith(`lk1 ${id} `));
    expect(await client.pttl(name)).toBeGreaterThan(5_000);
    await exit(coordinator, name, id);
    await until(async () => (await client.exists(name)) === 0);
    client.disconnect();
    await coordinator.close();
  });

  it('takes a key of another kind for a mistake', async () => {
    const coordinator = redlockCoordinator(urls());
    const [name, clients] = [newName(), urls().map((url) => new Redis(url))];
    await Promise.all(clients.map((client) => client.lpush(name, 'a')));
    await expect(enters(coordinator, name, newId())).rejects.toThrow(/refuses: WRONGTYPE/);
    await Promise.all(clients.map((client) => client.del(name)));
    for (const client of clients) client.disconnect();
    await coordinator.close();
  });
});
