import { Redis } from 'ioredis';
import { afterAll, describe, expect, it } from 'vitest';
import { until } from '../until.js';
import { ask } from './ask.js';
import { startRedis, useRedis, useRedisCluster, useRedisSentinel, useShared } from './index.js';

const say = (port: number, text: string): Promise<string> =>
  ask({ port, text: `${text}\r\n`, until: /\r\n/ });

describe('a Redis', () => {
  const redis = useRedis({ persist: true, settings: { 'maxmemory-policy': 'allkeys-lru' } });

  it('answers, with the settings it was given', async () => {
    const client = new Redis(redis.url);
    expect(await client.config('GET', 'maxmemory-policy')).toEqual(['maxmemory-policy', 'allkeys-lru']);
    client.disconnect();
  });

  it('is silent while frozen', async () => {
    await redis.freeze();
    await expect(say(redis.port, 'PING')).rejects.toThrow('No answer');
    await redis.thaw();
    expect(await say(redis.port, 'PING')).toBe('+PONG\r\n');
  });

  it('is gone when killed, and comes back on its port with its data', async () => {
    const { pid, port } = redis;
    expect(await say(port, 'SET kept 1')).toBe('+OK\r\n');
    await redis.kill();
    await expect(say(port, 'PING')).rejects.toThrow('ECONNREFUSED');
    await redis.restart();
    expect(redis.port).toBe(port);
    expect(redis.pid).not.toBe(pid);
    expect(await ask({ port, text: 'GET kept\r\n', until: /1\r\n$/ })).toBe('$1\r\n1\r\n');
  });

  it('can be killed while it is frozen', async () => {
    await redis.freeze();
    await redis.kill();
    await redis.restart();
    expect(await say(redis.port, 'PING')).toBe('+PONG\r\n');
  });

  it('tells its memory and what it printed', async () => {
    expect(await redis.memory()).toBeGreaterThan(1_000_000);
    expect(redis.output()).toContain('Redis is starting');
  });
});

describe('a Redis that keeps nothing', () => {
  it('comes back empty, and not at all once it is stopped', async () => {
    await using redis = await startRedis();
    await say(redis.port, 'SET lost 1');
    await redis.restart();
    expect(await say(redis.port, 'EXISTS lost')).toBe(':0\r\n');
    await redis.stop();
    await redis.stop();
    await expect(redis.restart()).rejects.toThrow('It was stopped');
  });

  it('tells why it does not start', async () => {
    await expect(startRedis({ settings: { 'no-such-setting': 1 } })).rejects.toThrow(
      /redis-server ended \(exit code 1\) before it answered:[\s\S]*no-such-setting/,
    );
  });
});

describe('a Redis with a password and TLS', () => {
  const redis = useRedis({ password: 'a secret/1', tls: true });

  it('lets in who has both', async () => {
    const client = new Redis(redis.url, { tls: { ca: redis.ca } });
    expect(await client.ping()).toBe('PONG');
    client.disconnect();
  });

  it('lets in nobody else', async () => {
    const url = redis.url.replace(/:\/\/.*@/, '://');
    const client = new Redis(url, { tls: { ca: redis.ca }, retryStrategy: () => null });
    client.on('error', () => {});
    await expect(client.ping()).rejects.toThrow('NOAUTH');
    client.disconnect();
  });
});

describe('a Redis Cluster', () => {
  const cluster = useRedisCluster();

  it('has the slots of three masters, also after a restart', async () => {
    const client = new Redis.Cluster(cluster.ports.map((port) => ({ host: '127.0.0.1', port })));
    const names = Array.from({ length: 30 }, (_, index) => `name ${index}`);
    await Promise.all(names.map((name) => client.set(name, name)));
    const [restarted] = cluster.nodes;
    await restarted!.restart();
    expect(await Promise.all(names.map((name) => client.get(name)))).toEqual(names);
    client.disconnect();
  });

  it('names all its nodes', () => {
    expect(cluster.url).toBe(`redis+cluster://${cluster.ports.map((port) => `127.0.0.1:${port}`).join(',')}`);
  });
});

describe('a Redis under Sentinel', () => {
  const sentinel = useRedisSentinel();

  it('fails over when its master is killed', async () => {
    const client = new Redis({
      sentinels: sentinel.ports.map((port) => ({ host: '127.0.0.1', port })),
      name: 'main',
      retryStrategy: () => 50,
      sentinelRetryStrategy: () => 50,
    });
    client.on('error', () => {});
    await client.set('kept', 1);
    await client.wait(1, 1_000);
    expect(await sentinel.currentMaster()).toBe(sentinel.master);

    await sentinel.master.kill();
    await until(async () => (await sentinel.currentMaster()) === sentinel.replica, 15_000);
    await until(async () => (await client.get('kept')) === '1', 10_000);
    client.disconnect();
  });
});

describe('shared servers', () => {
  const shared = useShared('redis');
  const same = useShared('redis');

  it('are started once', async () => {
    expect(shared.url).toBe(same.url);
    const client = new Redis(shared.url);
    expect(await client.ping()).toBe('PONG');
    client.disconnect();
  });
});

describe('a server of the contributor', () => {
  process.env.LOCKKEEPER_TEST_REDIS_CLUSTER = 'redis+cluster://elsewhere:1';
  afterAll(() => {
    delete process.env.LOCKKEEPER_TEST_REDIS_CLUSTER;
  });
  const shared = useShared('redis-cluster');

  it('is used instead', () => {
    expect(shared.url).toBe('redis+cluster://elsewhere:1');
  });
});

describe('a server that is not started yet', () => {
  const redis = useRedis();
  let early: unknown;
  try {
    early = redis.url;
  } catch (error) {
    early = error;
  }

  it('says so', () => {
    expect(early).toEqual(new Error('Too early for `url`: the server is not started'));
  });
});
