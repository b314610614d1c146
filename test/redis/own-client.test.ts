import { channel } from 'node:diagnostics_channel';
import { stat } from 'node:fs';
import { Redis } from 'ioredis';
import { afterEach, describe, expect, it, onTestFinished } from 'vitest';
import { type RedisClient, runScript } from '../../src/redis/client.js';
import { redisFromUrl } from '../../src/redis/open.js';
import type { ScriptCall } from '../../src/redis/script-call.js';
import { errorOf } from '../support/error-of.js';
import { startProxy } from '../support/proxy.js';
import { useRedis } from '../support/servers/index.js';
import { trustAnyServer } from '../support/trust.js';
import { until } from '../support/until.js';

const server = useRedis();
const opened: RedisClient[] = [];

afterEach(() => {
  for (const client of opened.splice(0)) client.disconnect();
});

/** A client that is connected. */
async function open(url = server.url, silence?: number): Promise<Required<RedisClient>> {
  const client = await redisFromUrl(url).another({ silence });
  client.on('error', () => {});
  opened.push(client);
  await until(() => client.status === 'ready');
  return client as Required<RedisClient>;
}

async function shaOf(client: RedisClient, source: string): Promise<string> {
  return await client.call('script', ['load', source]);
}

/** Until the test is over, commands are sent by this, as by what instruments libraries. */
function instrument(wrapped: Redis['sendCommand']): void {
  const { prototype } = Redis;
  const { sendCommand } = prototype;
  prototype.sendCommand = Object.assign(wrapped, { __wrapped: true });
  onTestFinished(() => {
    prototype.sendCommand = sendCommand;
  });
}

describe('a script that a client of our own runs', () => {
  it.each([
    ['a number', 'return 12'],
    ['a negative number', 'return -3'],
    ['a text', 'return "a text, in UTF-8: \u00e4 \u{1f512}"'],
    ['an empty text', 'return ""'],
    ['nothing', 'return nil'],
    ['yes', 'return true'],
    ['no', 'return false'],
    ['a status', 'return redis.status_reply("FINE")'],
    ['a list in a list', 'return { 1, "b", { "c", { } }, false }'],
    ['what it was told', 'return { KEYS[1], ARGV[1], ARGV[2], ARGV[3] }'],
    ['the reply of a command', 'return redis.call("ZRANGE", KEYS[1], 0, -1)'],
  ])('answers as any other command does: %s', async (_, source) => {
    const client = await open();
    const words = [await shaOf(client, source), 1, 'a key: \u00e4', 'two\r\nlines', 1.5, ''];
    expect(await client[runScript](words)).toEqual(await client.call('evalsha', words));
  });

  it.each([
    ['an error of its own', 'return redis.error_reply("MINE it is")'],
    ['an error of a command', 'return redis.call("INCR", "a", "b")'],
    ['an error in it', 'return nothing.of.that.name'],
  ])('is refused as any other command is: %s', async (_, source) => {
    const client = await open();
    const words = [await shaOf(client, source), 0];
    const refused = await errorOf(client[runScript](words));
    expect(refused.message).toBe((await errorOf(client.call('evalsha', words))).message);
  });

  it('is refused by a server that does not know it', async () => {
    const client = await open();
    expect((await errorOf(client[runScript](['0'.repeat(40), 0]))).message).toMatch(/^NOSCRIPT/);
  });

  it('tells of its reply before anybody who waits for it', async () => {
    const client = await open();
    const words = [await shaOf(client, 'return { "a", 1 }'), 0];
    const told: unknown[] = [];
    await client[runScript](words, undefined, (reply) => told.push(reply)).then(() => told.push('answered'));
    expect(told).toEqual([['a', 1], 'answered']);
  });

  it('keeps its place among other commands', async () => {
    const client = await open();
    const sha = await shaOf(client, 'return redis.call("APPEND", KEYS[1], ARGV[1])');
    const append = (letter: string) => client.call('append', ['in order', letter]);
    const script = (letter: string) => client[runScript]([sha, 1, 'in order', letter]);
    await Promise.all([append('a'), script('b'), script('c'), append('d'), script('e')]);
    expect(await client.call('get', ['in order'])).toBe('abcde');
  });

  it('is told to those who trace commands', async () => {
    const client = await open();
    const sha = await shaOf(client, 'return 1');
    const traced: unknown[] = [];
    const onStart = (told: unknown) => traced.push(told);
    const start = channel('tracing:ioredis:command:start');
    start.subscribe(onStart);
    await client[runScript]([sha, 1, 'key']);
    start.unsubscribe(onStart);
    expect(traced).toMatchObject([{ command: 'evalsha', args: [sha, '1', 'key'] }]);
  });

  it('is seen by those who wrap the method that sends commands', async () => {
    const { sendCommand } = Redis.prototype;
    const seen: string[] = [];
    const wrapped: typeof sendCommand = function (this: Redis, command, ...others) {
      seen.push(command.name);
      return sendCommand.call(this, command, ...others);
    };
    instrument(wrapped);
    const client = await open();
    const sha = await shaOf(client, 'return 1');
    seen.length = 0;
    expect(await client[runScript]([sha, 0])).toBe(1);
    expect(seen).toEqual(['evalsha']);
  });

  /** As OpenTelemetry instruments ioredis: a span ends when the command is answered. */
  function traceSpans() {
    const { sendCommand } = Redis.prototype;
    const spans = { begun: 0, ended: 0 };
    const wrapped: typeof sendCommand = function (this: Redis, command, ...others) {
      const sent = sendCommand.call(this, command, ...others);
      if (command.name !== 'evalsha') return sent;
      spans.begun++;
      const { resolve } = command as unknown as ScriptCall;
      Object.assign(command, {
        resolve: (reply: unknown) => {
          spans.ended++;
          resolve(reply);
        },
      });
      return sent;
    };
    instrument(wrapped);
    return spans;
  }

  it.each([
    ['at once', Number.POSITIVE_INFINITY],
    ['in pieces', 3],
  ])('ends a span that was begun for it, when it is answered %s', async (_, bytes) => {
    const spans = traceSpans();
    const proxy = await startProxy(server.url);
    const client = await open(proxy.url(server.url));
    const sha = await shaOf(client, 'return { "a", 1 }');
    proxy.cutReplies(bytes);
    const answers = [client[runScript]([sha, 0]), client.call('ping', []), client[runScript]([sha, 0])];
    expect(await Promise.all(answers)).toEqual([['a', 1], 'PONG', ['a', 1]]);
    expect(spans).toEqual({ begun: 2, ended: 2 });
    proxy.stop();
  });

  describe('over TLS', () => {
    const guarded = useRedis({ tls: true });
    trustAnyServer();

    it('ends a span that was begun for it', async () => {
      const spans = traceSpans();
      const client = await open(guarded.url);
      const sha = await shaOf(client, 'return { "a", 1 }');
      expect(await client[runScript]([sha, 0])).toEqual(['a', 1]);
      expect(spans).toEqual({ begun: 1, ended: 1 });
    });
  });

  it('is answered by what its caller has for a server that does not know it', async () => {
    const client = await open();
    const forgotten = ['0'.repeat(40), 0];
    expect(await client[runScript](forgotten, async () => 'else')).toBe('else');
    const failing = client[runScript](forgotten, () => Promise.reject(new Error('not this either')));
    expect((await errorOf(failing)).message).toBe('not this either');
  });

  it('fails with its connection, and is not sent again', async () => {
    const proxy = await startProxy(server.url);
    const [client, direct] = [await open(proxy.url(server.url)), await open()];
    const sha = await shaOf(direct, 'return redis.call("INCR", KEYS[1])');
    proxy.pause('requests');
    const lost = errorOf(client[runScript]([sha, 1, 'runs']));
    proxy.cut();
    expect((await lost).message).toMatch(/max retries per request/i);
    expect((await errorOf(client[runScript]([sha, 1, 'runs']))).message).toMatch(/isn't writeable/);

    proxy.resume();
    await until(() => client.status === 'ready');
    expect(await client[runScript]([sha, 1, 'runs'])).toBe(1);
    proxy.stop();
  });

  it('fails when the client is closed', async () => {
    const client = await open();
    client.disconnect();
    await until(() => client.status === 'end');
    expect((await errorOf(client[runScript](['0'.repeat(40), 0]))).message).toBe('Connection is closed.');
  });
});

describe('what a client of our own is answered', () => {
  const list = 'return { 1, "b", { "c", {}, ARGV[1] }, false, -20 }';
  const listOf = (text: unknown) => [1, 'b', ['c', [], `${text}`], null, -20];
  const big = 'return { string.rep("ä", 150000), ARGV[1] }';
  const bigOf = (text: unknown) => ['ä'.repeat(150_000), `${text}`];

  /** Scripts and other commands, of which some fail, all on their way at once. */
  async function mixed(client: Required<RedisClient>, other = list): Promise<unknown[]> {
    await client.call('lpush', ['a list', 'a']);
    const [small, large] = [await shaOf(client, list), await shaOf(client, other)];
    const all: Promise<unknown>[] = [];
    for (let i = 0; i < 20; i++) {
      all.push(client[runScript]([small, 0, `text ${i}`]), client.call('echo', [`echo ${i}`]));
      if (i % 5 === 0) all.push(client[runScript]([large, 0, i]), client.call('incr', ['a list']));
    }
    const settled = await Promise.allSettled(all);
    return settled.map((one) => (one.status === 'fulfilled' ? one.value : (one.reason as Error).message));
  }

  /** What `mixed` gives. */
  function expected(otherOf: (text: unknown) => unknown = listOf): unknown[] {
    const all: unknown[] = [];
    for (let i = 0; i < 20; i++) {
      all.push(listOf(`text ${i}`), `echo ${i}`);
      if (i % 5 === 0) all.push(otherOf(i), expect.stringMatching(/^WRONGTYPE/));
    }
    return all;
  }

  it('is read without ioredis where it is an answer to a script, and all there', async () => {
    const client = await open();
    const sha = await shaOf(client, list);
    let read = 0;
    (client as unknown as Redis).stream.on('data', () => read++);
    await Promise.all([client[runScript]([sha, 0, 'a']), client[runScript]([sha, 0, 'b'])]);
    expect(read).toBe(0);
    await client.call('ping', []);
    expect(read).toBe(1);
  });

  it.each([1, 2, 7, 100])('may come in pieces of %i bytes', { timeout: 30_000 }, async (bytes) => {
    const proxy = await startProxy(server.url);
    const client = await open(proxy.url(server.url), 20_000);
    await mixed(client);
    proxy.cutReplies(bytes);
    expect(await mixed(client)).toEqual(expected());
    proxy.cutReplies(Number.POSITIVE_INFINITY);
    expect(await mixed(client)).toEqual(expected());
    proxy.stop();
  });

  it('is read without ioredis though it comes in two pieces, however many are owed', async () => {
    const proxy = await startProxy(server.url);
    const client = await open(proxy.url(server.url));
    const sha = await shaOf(client, 'return { ARGV[1], string.rep("a", 300) }');
    let read = 0;
    (client as unknown as Redis).stream.on('data', () => read++);
    proxy.cutReplies(500);
    const all = Array.from({ length: 50 }, (_, i) => client[runScript]([sha, 0, i]));
    expect(await Promise.all(all)).toEqual(all.map((_, i) => [`${i}`, 'a'.repeat(300)]));
    expect(read).toBe(0);
    proxy.stop();
  });

  it('may be more than is read at once', async () => {
    const client = await open();
    for (let i = 0; i < 5; i++) expect(await mixed(client, big)).toEqual(expected(bigOf));
  });

  it('is what was asked for on this connection, not on the one before', async () => {
    const proxy = await startProxy(server.url);
    const client = await open(proxy.url(server.url));
    const sha = await shaOf(client, 'return ARGV[1]');
    for (let i = 0; i < 5; i++) {
      proxy.pause('replies');
      const lost = errorOf(client[runScript]([sha, 0, `lost ${i}`]));
      proxy.cut();
      await lost;
      proxy.resume();
      await until(() => client.status === 'ready');
      expect(await client[runScript]([sha, 0, `told ${i}`])).toBe(`told ${i}`);
    }
    proxy.stop();
  });

  it('is apart from what it hears', async () => {
    const [client, other] = [await open(), await open()];
    const heard: string[] = [];
    client.on('message', (channel: string, text: string) => heard.push(`${channel} ${text}`));
    await client.subscribe('news');
    await other.call('publish', ['news', 'one']);
    await client.subscribe('more');
    await other.call('publish', ['more', 'two']);
    await until(() => heard.length === 2);
    await client.unsubscribe('news', 'more');
    const sha = await shaOf(client, 'return ARGV[1]');
    expect(await client[runScript]([sha, 0, 'told'])).toBe('told');
    expect(heard).toEqual(['news one', 'more two']);
  });
});

describe('a connection of our own on which nothing is heard', () => {
  const silence = 300;

  it('is given up while an answer is owed, and not before', async () => {
    const proxy = await startProxy(server.url);
    const client = await open(proxy.url(server.url), silence);
    proxy.pause('replies');
    await new Promise((resolve) => setTimeout(resolve, 2 * silence));
    expect(client.status).toBe('ready');

    const start = performance.now();
    await errorOf(client.call('ping', []));
    expect(performance.now() - start).toBeGreaterThanOrEqual(silence);
    proxy.stop();
  });

  it('is kept while it answers, however late', async () => {
    const proxy = await startProxy(server.url);
    const client = await open(proxy.url(server.url), silence);
    let closed = 0;
    client.on('close', () => closed++);
    proxy.delay(silence / 2);
    for (const _ of Array(4)) await client.call('ping', []);
    expect(closed).toBe(0);
    proxy.stop();
  });

  describe('over TLS', () => {
    const guarded = useRedis({ tls: true });
    trustAnyServer();

    it('is kept while it answers, though something is owed all the time', async () => {
      const client = await open(guarded.url, silence);
      let closed = 0;
      client.on('close', () => closed++);
      const end = performance.now() + 4 * silence;
      const ask = async () => {
        while (performance.now() < end) await client.call('blpop', ['nothing there', 0.05]);
      };
      await Promise.all([ask(), ask()]);
      expect(closed).toBe(0);
    });
  });

  it('is kept when it was this process that stood still', async () => {
    const client = await open(server.url, silence);
    let closed = 0;
    client.on('close', () => closed++);
    for (const _ of Array(5)) {
      const answer = client.call('ping', []);
      const until = performance.now() + 2 * silence;
      while (performance.now() < until);
      expect(await answer).toBe('PONG');
    }
    expect(closed).toBe(0);
  });

  it('is kept when this process stands still at the end of a long silence', async () => {
    const limit = 500;
    const client = await open(server.url, limit);
    let closed = 0;
    client.on('close', () => closed++);
    const answer = client.call('blpop', ['nothing there', 0.55]);
    await new Promise((resolve) => setTimeout(resolve, 520));
    // The look that is the last one comes before what is read next.
    await new Promise<void>((resolve) => {
      stat('.', () => {
        const end = performance.now() + 300;
        while (performance.now() < end);
        resolve();
      });
    });
    expect(await answer).toBeNull();
    expect(closed).toBe(0);
  });
});
