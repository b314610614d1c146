import { createApp, currentTask, limited, locked, memoryBroker, memoryCoordinator } from 'lockkeeper';
import { ManualClock } from 'lockkeeper/testing';
import { describe, expect, it } from 'vitest';
import type { Broker } from '../../src/brokers/broker.js';
import { ConfigError, TaskSetAsideError } from '../../src/errors.js';
import { fate, ScriptedCoordinator } from '../support/scripted-coordinator.js';
import { gate, manualApp } from '../worker/support.js';

const unknown = '6a1f0b7e-0000-4000-8000-000000000000';

describe('why', () => {
  it('tells who holds what a deferred call waits for, since when, and how many come before it', async () => {
    const { app, clock, work } = manualApp({ resources: { storage: { capacity: 2 } } });
    const slow = gate();
    const save = app.task('save', locked('storage'), slow.body);
    await work({ concurrency: 5 });
    const began = clock.wall();
    const calls = await save.delayMany([[], [], [], []]);
    await clock.advance('10s');

    const why = await app.operator.why(calls[3]!.id);

    expect(why).toMatchObject({
      id: calls[3]!.id,
      state: 'deferred',
      task: 'save',
      queue: 'default',
      attempt: 1,
      deferrals: 1,
      deferredAt: began,
      refusedBy: 'storage',
      ahead: 1,
    });
    expect(why.estimate).toBeUndefined();
    const [storage] = why.resources;
    expect(storage).toMatchObject({
      resource: 'storage',
      coordinator: 'memory',
      declared: { capacity: 2 },
      capacity: 2,
      used: 2,
      rooms: [{ queue: 'default', parked: 2, since: began }],
    });
    expect(storage!.holders.map(({ message, since }) => [message, since])).toEqual([
      [calls[0]!.id, began],
      [calls[1]!.id, began],
    ]);
    await slow.open();
    await clock.advance('1s');
    await slow.open();
  });

  it('estimates by how fast those before it go, while it watches', async () => {
    const { app, clock, work, settle } = manualApp();
    const slow = gate();
    const save = app.task('save', locked('storage'), slow.body);
    await work({ concurrency: 2 });
    const calls = await save.delayMany(Array.from({ length: 14 }, () => []));
    await settle();

    const watching = app.operator.why(calls.at(-1)!.id, { watch: '2s' });
    await clock.advance('500ms');
    await slow.open(1);
    await slow.open(1);
    await clock.advance('1500ms');

    expect(await watching).toMatchObject({ state: 'deferred', ahead: 10, estimate: 10_000 });
    while (slow.started < 14) await slow.open();
    await slow.open();
  });

  it('watches a call in the room that it went to meanwhile', async () => {
    const { app, clock, work, settle } = manualApp();
    const slow = gate();
    const save = app.task('save', locked('storage'), slow.body);
    const calls = await save.delayMany([[], [], [], []]);
    const watching = app.operator.why(calls[3]!.id, { watch: '2s' });
    await clock.advance('1s');
    await work({ concurrency: 2 });
    await settle();
    await clock.advance('1s');
    await slow.open(1);
    await clock.advance('2s');

    expect(await watching).toMatchObject({ state: 'deferred', ahead: 1, estimate: 2_000 });
    while (slow.started < 4) await slow.open();
    await slow.open();
  });

  it('tells of a call that ended, or started, while it was watched', async () => {
    const { app, clock, work, settle } = manualApp();
    const slow = gate();
    const save = app.task('save', locked('storage'), slow.body);
    await work({ concurrency: 2 });
    const calls = await save.delayMany([[], [], []]);
    await settle();

    const [second, third] = [1, 2].map((i) => app.operator.why(calls[i]!.id, { watch: '2s' }));
    await clock.advance('500ms');
    await slow.open(1);
    await slow.open(1);
    await clock.advance('1500ms');

    expect(await second).toMatchObject({ state: 'ended', stored: { state: 'done' } });
    expect(await third).toMatchObject({ state: 'running' });
    await slow.open();
  });

  it('tells a queued call from a delayed one, and when that is due', async () => {
    const { app, clock } = manualApp();
    const send = app.task('send', { queue: 'mail' }, () => {});
    const [queued, delayed] = [await send.delay(), await send.applyAsync([], { countdown: '1m' })];
    await send.delay();
    const due = clock.wall() + 60_000;
    await clock.advance('20s');

    expect(await app.operator.why(queued.id)).toMatchObject({ state: 'queued', queue: 'mail', ahead: 0 });
    expect(await app.operator.why(delayed.id)).toMatchObject({
      state: 'delayed',
      nextTry: due,
      estimate: 40_000,
    });
  });

  it('tells when the next attempt comes, and what the last one failed with', async () => {
    const { app, clock, work } = manualApp();
    const send = app.task('send', { retry: { max: 2, delay: '1m', jitter: false } }, () => {
      throw new TypeError('no');
    });
    await work();
    const call = await send.delay();
    await clock.advance('1s');

    expect(await app.operator.why(call.id)).toMatchObject({
      state: 'delayed',
      attempt: 2,
      nextTry: clock.wall() + 59_000,
      stored: { state: 'retrying', error: { name: 'TypeError' } },
    });
  });

  it('tells which rate put a call off, and until when', async () => {
    const { app, clock, work } = manualApp({ resources: { sms: { rate: '1/m' } } });
    const send = app.task('send', { limits: [locked('modem'), limited('sms')] }, () => {});
    await work();
    const [, second] = await send.delayMany([[], []]);
    await clock.advance('10s');

    const why = await app.operator.why(second!.id);

    expect(why).toMatchObject({ state: 'deferred', refusedBy: 'sms', estimate: 50_000 });
    expect(why.resources.map(({ resource, rate }) => [resource, rate])).toEqual([
      ['modem', undefined],
      ['sms', { nextStart: 110_000, booked: 1 }],
    ]);
    expect(why.resources[1]!.declared).toEqual({ rate: { limit: 1, per: 60_000, burst: 1 } });
  });

  it('tells that it runs, with the permits that name it and the progress that was told', async () => {
    const { app, clock, work } = manualApp();
    const slow = gate();
    const save = app.task('save', locked('storage'), async () => {
      await currentTask().progress('half');
      await slow.body();
    });
    await work();
    const call = await save.delay();
    await clock.advance('1s');

    const why = await app.operator.why(call.id);

    expect(why).toMatchObject({ state: 'running', stored: { state: 'started', progress: 'half' } });
    expect(why.resources[0]!.holders[0]).toMatchObject({ message: call.id, task: 'save' });
    await slow.open();
  });

  it('tells why a call was set aside, and what one came to that has ended', async () => {
    const { app, clock, work } = manualApp();
    const send = app.task('send', (what: string) => what);
    await app.broker.publish([{ ...foreign, id: 'lost' }], { queue: 'default' });
    await work();
    const call = await send.delay('a');
    await clock.advance('1s');

    const [aside] = await app.operator.asides();
    expect(await app.operator.why('lost')).toMatchObject({
      state: 'apart',
      task: 'nowhere',
      asideId: aside!.id,
      reason: expect.stringContaining('no task "nowhere"'),
    });
    expect(await app.operator.why(call.id)).toEqual({
      id: call.id,
      state: 'ended',
      stored: { state: 'done', value: 'a', at: expect.any(Number) },
      resources: [],
    });
    expect(await app.operator.why(unknown)).toEqual({ id: unknown, state: 'unknown', resources: [] });
  });

  it('goes by the result store where the broker cannot look into queues', async () => {
    const { app, work, clock } = manualApp({ broker: blind() });
    const slow = gate();
    const save = app.task('save', { limits: [locked('storage')], trackStates: true }, slow.body);
    await work({ concurrency: 2 });
    const [first, second] = await save.delayMany([[], []]);
    await clock.advance('1s');

    expect(await app.operator.why(first!.id)).toMatchObject({ state: 'running' });
    expect(await app.operator.why(second!.id)).toMatchObject({ state: 'deferred', refusedBy: 'storage' });
    expect(await app.operator.why(unknown)).toMatchObject({ state: 'unknown' });
    expect((await app.operator.queues())[0]).toMatchObject({ queue: 'default', rooms: [] });
    expect((await app.operator.resources())[0]).toMatchObject({ resource: 'storage', used: 1, rooms: [] });
    await slow.open();
    await clock.advance('1s');
    await slow.open();
    expect(await app.operator.why(second!.id)).toMatchObject({ state: 'ended' });
  });

  it('looks into the queues that are named, and else into those of the app', async () => {
    const { app } = manualApp();
    const send = app.task('send', () => {});
    const call = await send.applyAsync([], { queue: 'elsewhere' });
    expect(await app.operator.why(call.id)).toMatchObject({ state: 'unknown' });
    const queues = ['elsewhere', 'default'];
    expect(await app.operator.why(call.id, { queues })).toMatchObject({
      state: 'queued',
      queue: 'elsewhere',
    });
  });
});

describe('resources', () => {
  it('are those that the app names, and those that something waits for', async () => {
    const { app, clock, work } = manualApp({
      resources: { storage: { capacity: 10 }, sms: { rate: '10/s', burst: 5 }, 'tenant:*': { capacity: 2 } },
    });
    const slow = gate();
    const build = app.task(
      'build',
      locked((name: string) => `tenant:${name}`),
      slow.body as (name: string) => Promise<void>,
    );
    app.task('index', locked('index', 3), () => {});
    await work();
    await build.delayMany([['a'], ['a'], ['a'], ['a'], ['b']]);
    await clock.advance('1s');

    const all = await app.operator.resources();

    expect(all.map(({ resource, declared, used }) => [resource, declared, used])).toEqual([
      ['index', { capacity: 3 }, 0],
      ['sms', { rate: { limit: 10, per: 1_000, burst: 5 } }, 0],
      ['storage', { capacity: 10 }, 0],
      ['tenant:a', { capacity: 2 }, 2],
    ]);
    expect(all.at(-1)!.rooms).toMatchObject([{ queue: 'default', parked: 2 }]);
    expect(await app.operator.resources(['tenant:b'])).toMatchObject([{ resource: 'tenant:b', used: 1 }]);
    await slow.open();
    await clock.advance('1s');
    await slow.open();
  });

  it('say so where their coordinator does not answer, and the others answer all the same', async () => {
    const clock = new ManualClock();
    const down = new ScriptedCoordinator(memoryCoordinator({ clock }), clock);
    down.always(fate.down, 'inspect');
    const app = createApp({
      clock,
      resources: { storage: { coordinator: down, capacity: 3 }, index: { capacity: 2 } },
    });

    const [index, storage] = await app.operator.resources();

    expect(index).not.toHaveProperty('unavailable');
    expect(storage).toMatchObject({ resource: 'storage', declared: { capacity: 3 }, holders: [], used: 0 });
    expect(storage!.unavailable).toContain('coordinator is unavailable');
    await app.close();
  });
});

it('queues tell how many messages are where, and in which rooms', async () => {
  const { app, clock, work } = manualApp({ queue: 'mail' });
  const slow = gate();
  const save = app.task('save', { limits: [locked('storage')], queue: 'slow' }, slow.body);
  app.task('send', () => {});
  await work({ queues: ['slow'] });
  await save.delayMany([[], [], []]);
  await clock.advance('1s');

  const empty = { ready: 0, delayed: 0, parked: 0, running: 0, apart: 0 };
  expect(await app.operator.queues()).toEqual([
    { queue: 'mail', ...empty, rooms: [] },
    { queue: 'slow', ...empty, running: 1, parked: 2, rooms: [expect.objectContaining({ parked: 2 })] },
  ]);
  expect(await app.operator.queues({ queues: ['slow'] })).toHaveLength(1);
  await slow.open();
  await slow.open();
  await slow.open();
});

describe('what was set aside', () => {
  const setUp = async () => {
    const { app, clock, work, settle } = manualApp();
    const poison = { ...foreign, id: 'lost', task: 'send' };
    await app.broker.publish([poison], { queue: 'default' });
    const worker = await work();
    await clock.advance('1s');
    await worker.stop();
    const [aside] = await app.operator.asides();
    return { app, clock, work, settle, aside: aside! };
  };

  it('is run when it is retried, and its caller waits for that', async () => {
    const { app, clock, work, aside } = await setUp();
    const call = app.result('lost');
    await expect(call.get()).rejects.toBeInstanceOf(TaskSetAsideError);

    expect(await app.operator.retry(aside)).toBe(true);
    const value = call.get();
    app.task('send', () => 'sent');
    await work();
    await clock.advance('1s');

    expect(await value).toBe('sent');
    expect(await app.operator.asides()).toEqual([]);
    expect(await app.operator.retry(aside)).toBe(false);
    expect(await call.get()).toBe('sent');
  });

  it('is gone when it is dropped, and its caller is still told that it was set aside', async () => {
    const { app, aside } = await setUp();
    expect(await app.operator.drop(aside)).toBe(true);
    expect(await app.operator.drop(aside)).toBe(false);
    expect(await app.operator.asides()).toEqual([]);
    await expect(app.result('lost').get()).rejects.toBeInstanceOf(TaskSetAsideError);
  });

  it('leaves the result alone that another message with its id came to', async () => {
    const { app, clock, work, aside } = await setUp();
    const send = app.task('send', () => 'sent');
    await work();
    await send.applyAsync([], { taskId: 'lost' });
    await clock.advance('1s');
    expect(await app.result('lost').get()).toBe('sent');
    await app.operator.retry(aside);
    expect(await app.result('lost').state).toBe('done');
  });

  it('is listed over all queues, the oldest first, whether it is a message or not', async () => {
    const { app, clock, work } = manualApp();
    app.task('send', { queue: 'mail' }, () => {});
    await work();
    const broker = app.broker as Broker & { inject(queue: string, text: string): void };
    broker.inject('mail', 'no message');
    await clock.advance('1s');
    await app.broker.publish([{ ...foreign, id: 'lost' }], { queue: 'default' });
    await clock.advance('1s');

    expect(await app.operator.asides()).toMatchObject([
      { queue: 'mail', text: 'no message' },
      { queue: 'default', message: { id: 'lost' } },
    ]);
    const [text] = await app.operator.asides({ queues: ['mail'] });
    expect(text!.message).toBeUndefined();
    expect(await app.operator.retry(text!)).toBe(true);
    await clock.advance('1s');
    expect(await app.operator.asides({ queues: ['mail'] })).toHaveLength(1);
  });
});

it.each([
  ['why', ['']],
  ['why', ['a', { queues: [] }]],
  ['why', ['a', { watch: 'long' }]],
  ['why', ['a', { wait: 1 }]],
  ['resources', [[]]],
  ['resources', [['']]],
  ['queues', [{ queues: 'mail' }]],
  ['asides', [{ queue: 'mail' }]],
])('%s rejects %j', async (step, given) => {
  const { app } = manualApp();
  await expect((app.operator as any)[step](...given)).rejects.toBeInstanceOf(ConfigError);
});

const foreign = { task: 'nowhere', args: [], retries: 0, deferrals: 0, priority: 0, sentAt: 1 };

/** A broker that cannot look into its queues. */
function blind(): Broker {
  const broker = memoryBroker({ clock: new ManualClock() });
  const refuse = async () => {
    throw new ConfigError('it cannot be seen');
  };
  return Object.assign(broker, {
    features: { ...broker.features, inspection: false },
    rooms: refuse,
    locate: refuse,
  });
}
