import { connect } from 'amqplib';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { Delivery } from '../../src/brokers/broker.js';
import { longestRound, wayDown } from '../../src/brokers/rabbitmq/ladder.js';
import { Taps } from '../../src/brokers/rabbitmq/tap.js';
import { RabbitmqBroker } from '../../src/brokers/rabbitmq.js';
import { ConfigError } from '../../src/errors.js';
import { createApp, createWorker } from '../../src/index.js';
import { RabbitConnection } from '../../src/rabbitmq/connection.js';
import { rabbitFrom } from '../../src/rabbitmq/open.js';
import { again, call, calls, done, idsOf, parked, resource, untilDepth } from '../conformance/broker/kit.js';
import { useRabbitMq } from '../support/servers/index.js';
import { until } from '../support/until.js';
import { lease, newQueue } from './rabbitmq-kit.js';

const server = useRabbitMq();

/** From now on it looks every half second whether something was in hand for longer than 3 s. */
async function hurry(): Promise<void> {
  for (const [name, ms] of [
    ['consumer_timeout', 3_000],
    ['channel_tick_interval', 500],
  ]) {
    await server.ctl('eval', `application:set_env(rabbit, ${name}, ${ms}).`);
  }
}

function open(): RabbitmqBroker {
  const broker = new RabbitmqBroker(server.url);
  onTestFinished(() => broker.close());
  return broker;
}

async function serve(broker: RabbitmqBroker, queue: string, concurrency = 1) {
  const deliveries: Delivery[] = [];
  const errors: Error[] = [];
  const consumer = await broker.consume([queue], {
    concurrency,
    lease,
    onDelivery: (delivery) => void deliveries.push(delivery),
    onError: (error) => void errors.push(error as Error),
  });
  const next = async (): Promise<Delivery> => {
    await until(() => deliveries.length > 0);
    return deliveries.shift() as Delivery;
  };
  return { consumer, deliveries, errors, next };
}

/** A channel of this test's own, to look at what is in the server. */
async function look() {
  const connection = await connect(server.url);
  onTestFinished(() => connection.close());
  return await connection.createChannel();
}

const queuesOf = async (queue: string): Promise<string[]> =>
  (await server.ctl('-q', 'list_queues', 'name')).split('\n').filter((name) => name.includes(queue));

describe('a queue on RabbitMQ', () => {
  it('hands over what is on its way into a room that is only being made', async () => {
    const [broker, queue] = [open(), newQueue()];
    const { consumer, next } = await serve(broker, queue, 2);
    await broker.publish(calls(2), { queue });
    const [first, second] = [await next(), await next()];

    const parking = first.settle(parked(first.message));
    const taken = await consumer.take(resource, {
      weight: 1,
      settling: { delivery: second, outcome: done },
    });

    expect(taken).toMatchObject({ kind: 'taken', delivery: { message: { id: first.message.id } } });
    expect(await parking).toBe(true);
  });

  it('is kept in quorum queues, with what was set aside behind it', async () => {
    const [broker, queue] = [open(), newQueue()];
    await broker.publish(calls(1), { queue, delay: 100 });
    const types = await server.ctl('-q', 'list_queues', 'name', 'type', 'durable');
    const own = types.split('\n').filter((line) => line.includes(queue));
    expect(own).toHaveLength(15);
    for (const line of own) expect(line).toMatch(/\tquorum\ttrue$/);
  });

  it('refuses a queue of another kind that somebody made under its name', async () => {
    const [broker, queue, channel] = [open(), newQueue(), await look()];
    await channel.assertQueue(`lk.${queue}`, { durable: true });
    await expect(broker.publish(calls(1), { queue })).rejects.toThrow(ConfigError);
  });

  it('is made anew when somebody has removed it', async () => {
    const [broker, queue, channel] = [open(), newQueue(), await look()];
    await broker.publish(calls(1), { queue });
    const { next } = await serve(broker, queue);
    await (await next()).settle(done);
    await channel.deleteQueue(`lk.${queue}`);
    const [message] = calls(1);
    await broker.publish([message!], { queue });
    expect((await next()).message.id).toBe(message!.id);
  });

  it('does not carry on what RabbitMQ wrote about the way a message came', async () => {
    const [broker, queue, channel] = [open(), newQueue(), await look()];
    await broker.publish(calls(1), { queue, delay: 100 });
    const { next, consumer } = await serve(broker, queue);
    const delivery = await next();
    await delivery.settle(again(delivery.message, 60_000));
    await consumer.close();
    const steps = (await queuesOf(queue)).filter((name) => name.includes('.delay.'));
    const found = await Promise.all(steps.map((name) => channel.get(name)));
    const [raw] = found.filter((message) => message !== false);
    expect(raw?.properties.headers ?? {}).not.toHaveProperty('x-death');
  });

  it('loses nothing of a message that is deferred 50 times', async () => {
    const [broker, queue] = [open(), newQueue()];
    const message = call();
    await broker.publish([message], { queue });
    const { next, consumer } = await serve(broker, queue);
    let delivery = await next();
    for (let deferrals = 1; deferrals <= 50; deferrals++) {
      const changed = { ...message, deferrals };
      if (deferrals % 2) {
        await delivery.settle(parked(changed));
        await until(() => consumer.idle > 0);
        const taken = await consumer.take('printer', { weight: 1 });
        if (taken.kind !== 'taken') throw new Error(`it is ${taken.kind}`);
        delivery = taken.delivery;
      } else {
        await delivery.settle(again(changed, deferrals % 10 ? 0 : 100));
        delivery = await next();
      }
      expect(delivery).toMatchObject({ message: changed, losses: 0 });
    }
    await untilDepth(broker, queue, { running: 1 });
  });
});

describe('a room on RabbitMQ', () => {
  it('comes and goes with what is busy, and takes no message with it', { timeout: 60_000 }, async () => {
    const [broker, queue] = [open(), newQueue()];
    const messages = calls(40);
    await broker.publish(messages, { queue });
    const { deliveries, consumer } = await serve(broker, queue, 40);
    await until(() => deliveries.length === messages.length);
    await Promise.all(
      deliveries
        .splice(0)
        .map((delivery, i) => delivery.settle(parked(delivery.message, { resource: `r${i}` }))),
    );
    await untilDepth(broker, queue, { parked: 40 });

    const ended: string[] = [];
    for (let i = 0; i < messages.length; i++) {
      const taken = await consumer.take(`r${i}`, { weight: 1 });
      if (taken.kind !== 'taken') continue;
      ended.push(taken.delivery.message.id);
      await taken.delivery.settle(done);
    }

    expect(ended.sort()).toEqual(idsOf(messages).sort());
    await until(async () => (await queuesOf(queue)).every((name) => !name.includes('.room.')), 40_000);
    await untilDepth(broker, queue, {});
  });
});

describe('the ladder', () => {
  it.each([
    [1, 1],
    [100, 1],
    [101, 2],
    [250, 3],
    [longestRound, 4_095],
  ])('rests %i ms in steps that are %i units together', (delay, units) => {
    const { key, left } = wayDown(delay);
    expect(Number.parseInt(key.replaceAll('.', ''), 2)).toBe(units);
    expect(left).toBe(0);
  });

  it('goes round again with what is left', async () => {
    expect(wayDown(longestRound + 1_500).left).toBe(1_500);
  });
});

describe('a task that runs for too long', () => {
  it('is named by the setting that takes it away, and all goes on', { timeout: 60_000 }, async () => {
    await hurry();
    const [broker, queue] = [open(), newQueue()];
    const { next, errors } = await serve(broker, queue);
    await broker.publish(calls(1), { queue });
    const delivery = await next();

    await until(() => errors.some(({ message }) => message.includes('consumer_timeout')), 30_000);
    const second = await next();

    expect(await delivery.settle(done)).toBe(false);
    expect(second).toMatchObject({ message: delivery.message, losses: 1 });
    expect(await second.settle(done)).toBe(true);
    await untilDepth(broker, queue, {});
  });

  it('is named also when it was taken from a room', { timeout: 60_000 }, async () => {
    await hurry();
    const [connection, name, channel] = [
      new RabbitConnection(rabbitFrom(server.url)),
      newQueue(),
      await look(),
    ];
    onTestFinished(() => connection.close());
    await channel.assertQueue(name, { durable: true });
    channel.sendToQueue(name, Buffer.from('text'));
    const errors: unknown[] = [];
    const tap = await new Taps(connection, (error) => void errors.push(error)).open(name);
    expect(await tap?.next()).toBeDefined();

    await until(() => errors.length > 0, 30_000);
    expect(String(errors[0])).toContain('consumer_timeout');
  });

  it('is warned of when its worker starts', async () => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const app = createApp({ broker: server.url, coordinator: 'memory:', queue: newQueue() });
    app.task('short', { timeLimit: '20m' }, async () => {});
    app.task('long', { timeLimit: '35m' }, async () => {});
    const worker = createWorker(app);
    await worker.start();
    await app.close();
    const texts = warn.mock.calls
      .map(([text]) => String(text))
      .filter((text) => text.includes('rabbitmq.conf'));
    warn.mockRestore();
    expect(texts).toHaveLength(1);
    expect(texts[0]).toContain('"long" may run for more than 25 minutes');
  });
});
