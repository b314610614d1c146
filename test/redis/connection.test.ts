import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ClosedError } from '../../src/errors.js';
import { isMisconfiguration } from '../../src/redis/client.js';
import { RedisConnection } from '../../src/redis/connection.js';
import { redisFromClient, redisFromUrl } from '../../src/redis/open.js';
import { Script } from '../../src/redis/script.js';
import { RedisSubscriber } from '../../src/redis/subscriber.js';
import { errorOf } from '../support/error-of.js';
import { startScript } from '../support/peer.js';
import { startProxy, type TcpProxy } from '../support/proxy.js';
import { useRedis } from '../support/servers/index.js';
import { trustAnyServer } from '../support/trust.js';
import { until } from '../support/until.js';

const server = useRedis();
const opened: { close(): Promise<void> }[] = [];

afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close();
});

function connect(url: string): RedisConnection {
  const connection = new RedisConnection(redisFromUrl(url));
  opened.push(connection);
  return connection;
}

describe('a connection', () => {
  it('is made when it is first asked for', async () => {
    const proxy = await startProxy(server.url);
    const connection = connect(proxy.url(server.url));
    expect(connection.client).toBeUndefined();
    expect(proxy.traffic.connections).toBe(0);

    const clients = await Promise.all([connection.ready(5_000), connection.ready(5_000)]);

    expect(clients[0]).toBe(clients[1]);
    expect(connection.client).toBe(clients[0]);
    expect(proxy.traffic.connections).toBe(1);
    proxy.stop();
  });

  it('says at once why it cannot be made', async () => {
    const proxy = await startProxy(server.url);
    proxy.stop();
    const connection = connect(proxy.url(server.url));
    for (let i = 0; i < 2; i++) {
      const start = performance.now();
      expect((await errorOf(connection.ready(10_000))).message).toContain('ECONNREFUSED');
      expect(performance.now() - start).toBeLessThan(5_000);
    }
  });

  it('waits for a server that says nothing as long as it is told to, and no longer', async () => {
    const proxy = await startProxy(server.url);
    proxy.pause();
    const connection = connect(proxy.url(server.url));
    expect((await errorOf(connection.ready(200))).message).toBe('no connection within 200 ms');

    proxy.resume();
    await connection.ready(5_000);
    proxy.stop();
  });

  it('is made again when the server is back, and its callers wait for that', async () => {
    const connection = connect(server.url);
    await (await connection.ready(5_000)).call('set', ['key', 'value']);
    await server.restart();
    await until(async () => (await connection.ready(1_000)) !== undefined);
    expect(await connection.client!.call('get', ['key'])).toBeNull();
  });

  it('is made again when it has died in silence', async () => {
    const proxy = await startProxy(server.url);
    const connection = new RedisConnection({
      ...redisFromUrl(proxy.url(server.url)),
      open: () => redisFromUrl(proxy.url(server.url)).another({ silence: 200 }),
    });
    opened.push(connection);
    const client = await connection.ready(5_000);
    proxy.pause('replies');

    const lost = await errorOf(client.call('ping', []));
    expect(lost.message).toMatch(/max retries per request/i);

    proxy.resume();
    await until(async () => (await connection.ready(1_000)).call('ping', []));
    proxy.stop();
  });

  it('sends nothing again that was on its way when it was lost', async () => {
    const proxy = await startProxy(server.url);
    const [through, direct] = [connect(proxy.url(server.url)), connect(server.url)];
    const client = await through.ready(5_000);
    proxy.pause('requests');
    const lost = errorOf(client.call('incr', ['counter']));
    await until(() => proxy.open === 1);
    proxy.cut();
    await lost;

    proxy.resume();
    await until(() => through.ready(1_000));
    await (await through.ready(1_000)).call('ping', []);
    expect(await (await direct.ready(1_000)).call('get', ['counter'])).toBeNull();
    proxy.stop();
  });

  it('is over when it is closed', async () => {
    const connection = connect(server.url);
    await connection.ready(5_000);
    await connection.close();
    await connection.close();
    await expect(connection.ready(1_000)).rejects.toBeInstanceOf(ClosedError);

    const never = connect(server.url);
    const waiting = errorOf(never.ready(5_000));
    await never.close();
    expect(await waiting).toBeInstanceOf(ClosedError);
  });

  it('leaves a client that was handed over to its owner', async () => {
    const client = new Redis(server.url, { lazyConnect: true });
    const connection = new RedisConnection(redisFromClient(client));
    expect(await connection.ready(5_000)).toBe(client);
    await connection.close();

    expect(await client.ping()).toBe('PONG');
    expect(client.listenerCount('ready') + client.listenerCount('end')).toBe(0);
    client.disconnect();
  });

  it('says that a client that was handed over has been closed', async () => {
    const client = new Redis(server.url);
    const connection = new RedisConnection(redisFromClient(client));
    await connection.ready(5_000);
    client.disconnect();
    await until(() => client.status === 'end');
    expect((await errorOf(connection.ready(1_000))).message).toBe('the client has been closed');
  });
});

describe('a server with a password, over TLS', () => {
  const guarded = useRedis({ password: 'p@ss/word', tls: true });

  trustAnyServer();

  it('is entered with the password of the URL', async () => {
    expect(await (await connect(guarded.url).ready(5_000)).call('ping', [])).toBe('PONG');
  });

  it('refuses another password, which is a matter of configuration', async () => {
    const error = await errorOf(connect(guarded.url.replace('p%40ss', 'pass')).ready(5_000));
    expect(isMisconfiguration(error)).toBe(true);
    expect(String(error)).not.toContain('pass/');
  });

  it('is not trusted without its certificate', async () => {
    vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '1');
    expect((await errorOf(connect(guarded.url).ready(5_000))).message).toMatch(/self-signed certificate/);
  });
});

describe('without ioredis', () => {
  it('says what to install', async () => {
    await using peer = await startScript(new URL('without-ioredis.ts', import.meta.url));
    expect(await peer.next()).toBe('CONFIG: Redis needs the package `ioredis`: npm install ioredis');
  });
});

describe('a script', () => {
  it('is sent again with its source when the server has forgotten it', async () => {
    const connection = connect(server.url);
    const script = new Script('return { KEYS[1], ARGV[1] }');
    for (let i = 0; i < 2; i++) {
      const client = await connection.ready(5_000);
      expect(await script.run(client, ['key'], ['arg'])).toEqual(['key', 'arg']);
      expect(await script.run(client, ['key'], ['arg'])).toEqual(['key', 'arg']);
      await client.call('script', ['flush']);
    }
  });

  it('fails with the error of the server', async () => {
    const client = await connect(server.url).ready(5_000);
    await expect(new Script('return redis.call("nonsense")').run(client, [], [])).rejects.toThrow(
      /nonsense|Unknown/,
    );
  });
});

describe('a subscription', () => {
  let proxy: TcpProxy;
  let commands: RedisConnection;
  const heard: string[] = [];
  let hearings = 0;
  const listener = {
    onMessage: (message: string) => heard.push(message),
    onHearing: () => hearings++,
  };

  beforeEach(async () => {
    proxy = await startProxy(server.url);
    commands = connect(proxy.url(server.url));
    heard.length = 0;
    hearings = 0;
  });
  afterEach(() => proxy.stop());

  const publish = async (channel: string, message: string) =>
    (await commands.ready(5_000)).call('publish', [channel, message]);

  it('hears what is published, on its own channel', async () => {
    const subscriber = new RedisSubscriber(commands);
    opened.push(subscriber);
    const stop = subscriber.subscribe('a', listener);
    await until(() => hearings === 1);
    await publish('a', 'one');
    await publish('b', 'two');
    await publish('a', 'three');
    await until(() => heard.length === 2);
    expect(heard).toEqual(['one', 'three']);

    stop();
    stop();
    await until(async () => (await publish('a', 'four')) === 0);
    expect(heard).toHaveLength(2);
  });

  it('tells when it hears again after a loss', async () => {
    const subscriber = new RedisSubscriber(commands);
    opened.push(subscriber);
    subscriber.subscribe('a', listener);
    await until(() => hearings === 1);

    proxy.cut();
    await until(() => hearings === 2);

    await publish('a', 'again');
    await until(() => heard.length === 1);
  });

  it('is tried for as long as it takes', async () => {
    proxy.stop();
    const subscriber = new RedisSubscriber(commands);
    opened.push(subscriber);
    subscriber.subscribe('a', listener);
    await errorOf(commands.ready(1_000));
    expect(hearings).toBe(0);

    await proxy.accept();

    await until(() => hearings === 1);
  });
});

describe('a server that may throw keys away', () => {
  const evicting = useRedis({ settings: { 'maxmemory-policy': 'volatile-lru' } });
  afterEach(() => vi.restoreAllMocks());

  it('is warned of, once', async () => {
    const warned = vi.spyOn(process, 'emitWarning').mockReturnValue();
    for (let i = 0; i < 2; i++) await connect(evicting.url).ready(5_000);
    await connect(server.url).ready(5_000);
    await until(() => warned.mock.calls.length > 0);
    await (await connect(evicting.url).ready(5_000)).call('ping', []);
    expect(warned.mock.calls.map(([text]) => text)).toEqual([
      expect.stringMatching(/127\.0\.0\.1:\d+ has the maxmemory-policy "volatile-lru".*"noeviction"/),
    ]);
  });
});
