import { afterEach, describe, expect, it } from 'vitest';
import { BrokerUnavailableError, ClosedError, ConfigError } from '../../src/errors.js';
import { CallChannel, openChannel } from '../../src/rabbitmq/channel.js';
import { isMisconfiguration, replyCodeOf } from '../../src/rabbitmq/client.js';
import { RabbitConnection, type RabbitConnectionOptions } from '../../src/rabbitmq/connection.js';
import { told } from '../../src/rabbitmq/link.js';
import { rabbitFrom } from '../../src/rabbitmq/open.js';
import { Publisher } from '../../src/rabbitmq/publisher.js';
import { errorOf } from '../support/error-of.js';
import { startProxy } from '../support/proxy.js';
import { useRabbitMq } from '../support/servers/index.js';
import { until } from '../support/until.js';

const server = useRabbitMq();
const opened: { close(): Promise<void> }[] = [];

afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close();
});

function connect(url: string, options?: RabbitConnectionOptions): RabbitConnection {
  const connection = new RabbitConnection(rabbitFrom(url), options);
  opened.push(connection);
  return connection;
}

const body = Buffer.from('hello');

describe('a connection to RabbitMQ', () => {
  it('is made when it is first asked for, once for all who ask', async () => {
    const proxy = await startProxy(server.url);
    const connection = connect(proxy.url(server.url));
    expect(proxy.traffic.connections).toBe(0);

    const [one, two] = await Promise.all([connection.ready(5_000), connection.ready(5_000)]);

    expect(one).toBe(two);
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
    await connection.ready(10_000);
    proxy.stop();
  });

  it('is made again when it was cut, and tells of both', async () => {
    const proxy = await startProxy(server.url);
    const connection = connect(proxy.url(server.url));
    const events: string[] = [];
    connection.onReady(() => events.push('ready'));
    connection.onLost(() => events.push('lost'));
    await connection.ready(5_000);

    proxy.cut();
    await until(() => events.length === 3);

    expect(events).toEqual(['ready', 'lost', 'ready']);
    proxy.stop();
  });

  it('is given up when its server is not heard for two heartbeats', async () => {
    const proxy = await startProxy(server.url);
    const connection = connect(proxy.url(server.url), { heartbeat: 1 });
    let lost: Error | undefined;
    connection.onLost((error) => {
      lost = error;
    });
    await connection.ready(5_000);

    proxy.pause();
    await until(() => lost !== undefined, 10_000);

    expect(lost?.message).toContain('Heartbeat timeout');
    proxy.stop();
  });

  it('is made again when the server was killed', async () => {
    const connection = connect(server.url);
    await connection.ready(5_000);
    await server.kill();
    await until(() => connection.current === undefined);
    await server.restart();
    await until(() => connection.current !== undefined);
    await new CallChannel(connection).call((channel) => channel.assertQueue('after', { durable: true }));
  });

  it('is refused for good by a wrong password, and by a virtual host that there is not', async () => {
    const user = {
      what: 'The rabbitmq broker',
      unavailable: (cause: unknown) => new BrokerUnavailableError('rabbitmq', { cause }),
    };
    for (const url of [server.url.replace('guest:guest', 'guest:wrong'), `${server.url}/nowhere`]) {
      const error = await errorOf(connect(url).ready(5_000));
      expect(isMisconfiguration(error)).toBe(true);
      expect(told(user, error, false)).toBeInstanceOf(ConfigError);
    }
  });

  it('tells that the server takes no messages, and why', async () => {
    const connection = connect(server.url);
    const reasons: (string | undefined)[] = [];
    connection.onBlocked((reason) => reasons.push(reason));
    const publisher = new Publisher(connection, 500);
    await publisher.publish({ key: 'nobody', body });
    try {
      await server.ctl('set_vm_memory_high_watermark', '0.00001');
      const late = publisher.publish({ key: 'nobody', body });
      await until(() => reasons.length === 1);
      expect((await errorOf(late)).message).toContain('takes no messages, because low on memory');
    } finally {
      await server.ctl('set_vm_memory_high_watermark', 'absolute', '1GB');
    }
    await until(() => reasons.length === 2);
    expect(reasons).toEqual(['low on memory', undefined]);
  });

  it('takes with it all that was acknowledged before it was closed', async () => {
    const queue = `acknowledged-${process.pid}`;
    const { channel } = await openChannel(connect(server.url));
    await channel.assertQueue(queue);
    for (let round = 0; round < 20; round++) {
      channel.publish('', queue, body);
      const connection = connect(server.url);
      const consuming = await openChannel(connection);
      await new Promise<void>((resolve) => {
        void consuming.channel.consume(queue, (message) => {
          if (!message) return;
          consuming.send((there) => there.ack(message));
          resolve();
        });
      });
      await connection.close();
      expect((await channel.checkQueue(queue)).messageCount).toBe(0);
    }
    await channel.deleteQueue(queue);
  });

  it('refuses everything once it is closed', async () => {
    const connection = connect(server.url);
    await connection.ready(5_000);
    await connection.close();
    await expect(connection.ready(5_000)).rejects.toThrow(ClosedError);
  });
});

describe('a publisher', () => {
  it('tells what is kept from what no queue takes, in whatever order they are mixed', async () => {
    const connection = connect(server.url);
    const channel = new CallChannel(connection);
    await channel.call((it) => it.assertQueue('some', { durable: true }));
    const publisher = new Publisher(connection);
    const keys = Array.from({ length: 200 }, (_, i) => (i % 3 ? 'some' : 'none'));

    const published = await Promise.all(keys.map((key) => publisher.publish({ key, body })));

    expect(published).toEqual(keys.map((key) => (key === 'some' ? 'kept' : 'returned')));
    const { messageCount } = await channel.call((it) => it.checkQueue('some'));
    expect(messageCount).toBe(keys.filter((key) => key === 'some').length);
  });

  it('rejects what is on its way when the connection is lost, and goes on when it is back', async () => {
    const proxy = await startProxy(server.url);
    const connection = connect(proxy.url(server.url));
    const publisher = new Publisher(connection);
    await publisher.publish({ key: 'none', body });

    proxy.pause('replies');
    const lost = errorOf(publisher.publish({ key: 'none', body }));
    proxy.cut();
    await lost;
    proxy.resume();

    await until(() => publisher.publish({ key: 'none', body }));
    proxy.stop();
  });

  it('goes on after the server has closed its channel', async () => {
    const connection = connect(server.url);
    const publisher = new Publisher(connection);
    const error = await errorOf(publisher.publish({ exchange: 'no such exchange', key: 'none', body }));
    expect(replyCodeOf(error)).toBe(404);
    expect(await publisher.publish({ key: 'none', body })).toBe('returned');
  });
});

describe('a channel', () => {
  it('says why the server has closed it', async () => {
    const channel = await openChannel(connect(server.url));
    const closed = new Promise<Error>((resolve) => channel.onClose(resolve));
    expect(replyCodeOf(await errorOf(channel.call((it) => it.checkQueue('nothing'))))).toBe(404);
    expect(replyCodeOf(await closed)).toBe(404);
    expect(channel.isOpen).toBe(false);
    expect(channel.send((it) => it.ack({} as never))).toBe(false);
  });

  it('for calls is opened anew after an error', async () => {
    const channel = new CallChannel(connect(server.url));
    expect(replyCodeOf(await errorOf(channel.call((it) => it.checkQueue('nothing'))))).toBe(404);
    await channel.call((it) => it.assertQueue('something', { durable: true }));
    expect(await channel.call((it) => it.checkQueue('something'))).toMatchObject({ messageCount: 0 });
  });

  it('is given up on by its caller when there is no answer in time', async () => {
    const proxy = await startProxy(server.url);
    const channel = await openChannel(connect(proxy.url(server.url)));
    proxy.pause('replies');
    const error = await errorOf(channel.call((it) => it.checkQueue('something'), 200));
    expect(error.message).toBe('no answer in 200 ms');
    proxy.stop();
  });
});
