import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type App, currentTask, locked } from 'lockkeeper';
import { describe, expect, it } from 'vitest';
import { RabbitmqBroker } from '../../src/brokers/rabbitmq.js';
import { rpcResults } from '../../src/results/rpc.js';
import { vanish } from '../brokers/rabbitmq-kit.js';
import { useRabbitMq } from '../support/servers/index.js';
import { until } from '../support/until.js';
import { useStages } from './kit.js';

const rabbitmq = useRabbitMq();
const stage = useStages({ rabbitmq, backend: () => 'rpc://', results: () => rpcResults(rabbitmq.url) });

/** What RabbitMQ says of a queue, its exchange and what leads into it. */
async function declared(queue: string): Promise<string[]> {
  const asked = [
    ['list_queues', 'name', 'type', 'durable', 'auto_delete', 'exclusive', 'arguments'],
    ['list_exchanges', 'name', 'type', 'durable', 'auto_delete', 'internal', 'arguments'],
    ['list_bindings', 'source_name', 'destination_name', 'routing_key', 'arguments'],
  ];
  const lists = await Promise.all(asked.map((args) => rabbitmq.ctl('--quiet', ...args)));
  return lists.flatMap((list) => list.split('\n').filter((line) => line.split('\t').includes(queue))).sort();
}

describe('a queue that is shared with Celery', { timeout: 120_000 }, () => {
  it.each([
    ['without priorities', 0],
    ['with priorities', 10],
  ])('is declared as Celery declares it, %s', async (_, priorities) => {
    const [theirs, ours] = [stage({ priorities }), stage({ priorities })];
    await (await theirs.client()).send('any');
    const app = ours.app();
    app.task('any', async () => {});
    await ours.worker(app);

    const expected = (await declared(theirs.queue)).map((line) => line.replaceAll(theirs.queue, 'QUEUE'));
    const found = (await declared(ours.queue)).map((line) => line.replaceAll(ours.queue, 'QUEUE'));
    expect(expected.length).toBeGreaterThan(2);
    expect(found).toEqual(expected);
  });

  it('is served by whoever comes second, too', async () => {
    const [here, there] = [stage(), stage()];
    const ours = here.app();
    ours.task('any', async () => {});
    await here.worker(ours);
    await here.celeryWorker();

    await there.celeryWorker();
    const late = there.app();
    late.task('any', async () => {});
    await there.worker(late);
  });

  it('cannot be declared twice, each time otherwise', async () => {
    const broker = new RabbitmqBroker(rabbitmq.url);
    const queue = `celery-${randomUUID()}`;
    broker.declare(queue, { celery: true });
    broker.declare(queue, { celery: true });
    expect(() => broker.declare(queue, { celery: { maxPriority: 5 } })).toThrow(
      `"${queue}" is in use already`,
    );
    await broker.close();
  });

  it('is refused where Celery has declared it otherwise', async () => {
    const [here, with10] = [stage(), stage({ priorities: 10 })];
    await (await with10.client()).send('any');
    const app = here.app({ queue: with10.queue, queues: { [with10.queue]: { celery: true } } });
    await expect(app.remote('any').delay()).rejects.toMatchObject({
      code: 'CONFIG',
      message: expect.stringContaining("inequivalent arg 'x-max-priority'"),
    });
  });

  it('has what is more urgent come first, where it has priorities', async () => {
    const here = stage({ priorities: 10 });
    const app = here.app();
    const order: number[] = [];
    app.task('note', async (n: number) => void order.push(n));
    const client = await here.client();
    const ids: string[] = [];
    for (const n of [1, 9, 5]) ids.push(await client.send('note', [n], {}, { priority: n }));
    await app.remote<[number]>('note').applyAsync([7], { priority: 7 });
    await here.worker(app, 1);
    await client.getMany(ids);
    expect(order).toEqual([9, 7, 5, 1]);
  });

  it('sets a pickled message aside, says why, and goes on', async () => {
    const here = stage();
    const app = here.app();
    app.task('any', async () => 'run');
    await here.worker(app);
    const client = await here.client();
    await client.send('any', [1], {}, { serializer: 'pickle' });

    expect(await client.call('any')).toEqual({ value: 'run' });
    await until(async () => (await app.broker.depth(here.queue)).apart === 1);
    const [aside] = await app.operator.asides();
    expect(aside).toMatchObject({ queue: here.queue, reason: expect.stringContaining('it is pickled') });
    expect(aside?.message).toBeUndefined();
  });

  it('gives a message back to Celery as it came, whatever it lived through here', async () => {
    const here = stage();
    const app = here.app();
    let retried = false;
    app.on('task.retried', () => {
      retried = true;
    });
    app.task('py.request', { retry: { max: 1, delay: '5s' }, parameters: ['b'] }, async () => {
      if (currentTask().deferrals < 2) currentTask().defer(100);
      throw new Error('once');
    });
    const worker = await here.worker(app);
    const client = await here.client();
    const options = { headers: { 'x-trace': 'abc' }, time_limit: 30, soft_time_limit: 20 };
    const id = await client.send('py.request', [], { b: { c: 1 } }, { ...options, countdown: 0.2 });
    await until(() => retried);
    await worker.stop();
    await here.celeryWorker();

    expect(await client.get(id, 30)).toMatchObject({
      value: {
        args: [],
        kwargs: { b: { c: 1 } },
        timelimit: [30, 20],
        root_id: id,
        trace: 'abc',
        retries: 1,
      },
    });
  });

  it('has its tasks wait in rooms for what is busy', async () => {
    const here = stage();
    const apps = [here.app(), here.app()];
    let [running, most, deferred] = [0, 0, 0];
    for (const app of apps) {
      app.on('task.deferred', () => deferred++);
      app.task('one-at-a-time', { limits: [locked('mutex')] }, async (n: number) => {
        most = Math.max(most, ++running);
        await sleep(2);
        running--;
        return n;
      });
      await here.worker(app, 8);
    }
    const client = await here.client();
    const ids = await client.sendMany(
      'one-at-a-time',
      Array.from({ length: 60 }, (_, n) => [n]),
    );

    expect(await client.getMany(ids)).toEqual(ids.map((_, n) => ({ value: n })));
    expect(most).toBe(1);
    expect(deferred).toBeGreaterThan(10);
  });

  it('sets a message aside that kills its workers', async () => {
    const here = stage();
    const sender = here.app();
    let delivered = 0;
    const queue = { [here.queue]: { celery: true } };
    const lost = async (app: App): Promise<void> => {
      const before = delivered;
      const consumer = await app.broker.consume([here.queue], {
        concurrency: 1,
        lease: 1_000,
        onDelivery: () => delivered++,
      });
      await until(() => delivered > before);
      await vanish(consumer);
    };
    const call = await sender.remote('poison').delay();
    for (let deaths = 0; deaths < 2; deaths++) await lost(here.app({ queues: queue }));
    const app = here.app();
    app.task('poison', { maxLost: 1 }, async () => 'survived');
    await here.worker(app);

    await expect(call.get({ timeout: '20s' })).rejects.toMatchObject({
      code: 'ASIDE',
      reason: expect.stringContaining('2 workers died'),
    });
  });
});

describe('a pool of workers of both sides', { timeout: 180_000 }, () => {
  it('ends 1,000 tasks, each of them once', async () => {
    const here = stage();
    const [one, two, third, fourth] = await Promise.all([
      here.celeryWorker(),
      here.celeryWorker(),
      here.client(),
      Promise.resolve(here.app()),
    ]);
    const ours: number[] = [];
    for (const app of [fourth, here.app()]) {
      app.task('mixed.work', async (n: number) => {
        ours.push(n);
        await sleep(2);
        return n * 2;
      });
      await here.worker(app, 1);
    }
    const ids = await third.sendMany(
      'mixed.work',
      Array.from({ length: 1_000 }, (_, n) => [n]),
    );

    const answers = await third.getMany(ids);
    expect(answers).toEqual(ids.map((_, n) => ({ value: n * 2 })));
    await until(() => ours.length + one.runs.length + two.runs.length >= ids.length);
    const theirs = [...one.runs, ...two.runs].map(({ n }) => n as number);
    expect([...ours, ...theirs].sort((a, b) => a - b)).toEqual(ids.map((_, n) => n));
    expect(Math.min(ours.length, one.runs.length, two.runs.length)).toBeGreaterThan(50);
  });
});
