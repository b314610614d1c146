import { type Meter, metrics } from '@opentelemetry/api';
import { createApp, createWorker, limited, locked, measure } from 'lockkeeper';
import { afterEach, describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/errors.js';
import { measureGlobally } from '../../src/worker/meter.js';
import { FakeMeter } from '../support/fake-meter.js';
import { gate, manualApp } from './support.js';

describe('what is measured', () => {
  it('is how long permits were waited for and held, over hand-offs, and how often messages were put off', async () => {
    const { app, clock, work, settle } = manualApp({ resources: { storage: { capacity: 1 } } });
    const meter = new FakeMeter();
    await measure(app, { meter });
    const slow = gate();
    const save = app.task('save', locked('storage'), slow.body);
    await work({ concurrency: 3 });
    await save.delayMany([[], [], []]);
    await settle();
    for (let i = 0; i < 3; i++) {
      await clock.advance('300ms');
      await slow.open(1);
    }
    await clock.advance('1s');

    const of = { resource: 'storage', task: 'save' };
    expect(meter.recorded('permit.wait')).toEqual([
      [0, of],
      [0.3, of],
      [0.6, of],
    ]);
    expect(meter.total('task.deferrals', { ...of, reason: 'busy' })).toBe(2);
    expect(meter.total('task.handoffs', { task: 'save' })).toBe(2);
    expect(meter.total('task.ends', { task: 'save', outcome: 'done' })).toBe(3);
    expect(meter.recorded('task.duration')).toEqual(Array(3).fill([0.3, { task: 'save' }]));
    const [longest] = meter.recorded('permit.hold').sort(([a], [b]) => b - a);
    expect(longest).toEqual([0.9, { resource: 'storage' }]);
    expect(meter.units).toMatchObject({
      'lockkeeper.permit.wait': 's',
      'lockkeeper.permits.used': '{permit}',
    });
  });

  it('is the wait of direct calls, and permits that were lost', async () => {
    const { app, clock } = manualApp();
    const meter = new FakeMeter();
    await measure(app, { meter });
    const first = await app.locks.acquire('cpu', { maxHold: '10s' });
    void first.signal;
    const second = app.locks.acquire('cpu');
    await clock.advance('20s');
    await (await second).release();

    expect(meter.recorded('permit.wait')).toEqual([
      [0, { resource: 'other' }],
      [15, { resource: 'other' }],
    ]);
    expect(meter.total('permit.lost', { resource: 'other', cause: 'max-hold' })).toBe(1);
  });

  it('is how late messages start that were delayed, or booked', async () => {
    const { app, clock, work } = manualApp();
    const meter = new FakeMeter();
    await measure(app, { meter });
    const send = app.task('send', limited('sms', '1/s'), () => {});
    await send.applyAsync([], { countdown: '5s' });
    await clock.advance('7s');
    await work();
    await send.delayMany([[]]);
    await clock.advance('5s');

    expect(meter.recorded('task.lateness').sort()).toEqual([
      [0, { task: 'send' }],
      [2, { task: 'send' }],
    ]);
  });

  it('is every way in which a delivery ends', async () => {
    const { app, clock, work } = manualApp();
    const meter = new FakeMeter();
    await measure(app, { meter });
    const fails = app.task('fails', { retry: { max: 1, delay: '1s' } }, () => {
      throw new Error('no');
    });
    const late = app.task('late', { expires: '1s' }, () => {});
    const skips = app.task('skips', locked('cpu', { onBusy: 'skip' }), () => {});
    const revoked = app.task('revoked', () => {});
    await app.locks.acquire('cpu');
    await late.delay();
    await fails.delay();
    await skips.delay();
    await (await revoked.delay()).revoke();
    const unknown = { id: 'x', task: 'unknown', args: [], retries: 0, deferrals: 0, priority: 0, sentAt: 0 };
    await app.broker.publish([unknown], { queue: 'default' });
    await clock.advance('2s');
    await work();
    await clock.advance('10s');

    const ends = (task: string, outcome: string) => meter.total('task.ends', { task, outcome });
    expect([ends('fails', 'retried'), ends('fails', 'failed')]).toEqual([1, 1]);
    expect([ends('late', 'expired'), ends('skips', 'skipped')]).toEqual([1, 1]);
    expect([ends('revoked', 'revoked'), ends('unknown', 'aside')]).toEqual([1, 1]);
  });

  it('is what resources and queues are like when the meter collects', async () => {
    const { app, clock, work } = manualApp({
      resources: { storage: { capacity: 4 }, sms: { rate: '1/s' }, 'tenant:*': { capacity: 1 } },
    });
    const meter = new FakeMeter();
    await measure(app, { meter });
    const slow = gate();
    const build = app.task(
      'build',
      locked((name: string) => `tenant:${name}`),
      slow.body as (name: string) => Promise<void>,
    );
    app.task('index', locked('index', 2), () => {});
    await work();
    await app.locks.acquire('storage', { weight: 3 });
    await app.locks.setCapacity('index', 7);
    await build.delayMany([['a'], ['a'], ['a'], ['b'], ['b']]);
    await clock.advance('10s');

    const seen = await meter.collect();

    const used = seen.filter(({ name }) => name === 'permits.used');
    expect(used).toEqual([
      { name: 'permits.used', value: 3, attributes: { resource: 'storage' } },
      { name: 'permits.used', value: 0, attributes: { resource: 'index' } },
    ]);
    expect(seen).toContainEqual({ name: 'permits.capacity', value: 4, attributes: { resource: 'storage' } });
    expect(seen).toContainEqual({ name: 'permits.capacity', value: 7, attributes: { resource: 'index' } });
    const messages = (where: string) => ({ queue: 'default', where });
    expect(seen).toContainEqual({ name: 'queue.messages', value: 3, attributes: messages('parked') });
    expect(seen).toContainEqual({ name: 'queue.messages', value: 2, attributes: messages('running') });
    const oldest = seen.filter(({ name }) => name === 'wait.oldest');
    expect(oldest).toEqual([
      { name: 'wait.oldest', value: 10, attributes: { queue: 'default', resource: 'tenant:*' } },
    ]);
    await slow.open();
    await clock.advance('1s');
    await slow.open();
    await clock.advance('1s');
    await slow.open();
  });

  it('has labels of the user’s own, where they are wanted', async () => {
    const { app, work, clock } = manualApp();
    const meter = new FakeMeter();
    await measure(app, { meter, label: (resource) => resource.toUpperCase() });
    const save = app.task(
      'save',
      locked((name: string) => name),
      (_: string) => {},
    );
    await work();
    await save.delay('a');
    await clock.advance('1s');
    expect(meter.recorded('permit.wait')).toEqual([[0, { resource: 'A', task: 'save' }]]);
  });
});

describe('measuring', () => {
  it('ends when it is told to, and nothing is heard of afterwards', async () => {
    const { app, work, clock } = manualApp();
    const meter = new FakeMeter();
    const end = await measure(app, { meter });
    end();
    for (const name of ['task.started', 'permit.released', 'permit.acquired', 'task.deferred'] as const) {
      expect(app.events.has(name)).toBe(false);
    }
    const save = app.task('save', locked('cpu'), () => {});
    await work();
    await save.delay();
    await clock.advance('1s');
    expect(meter.recorded('permit.wait')).toEqual([]);
    expect(await meter.collect()).toEqual([]);
  });

  it('leaves a gap where a server does not answer, and fails nobody', async () => {
    const { app } = manualApp();
    const meter = new FakeMeter();
    await measure(app, { meter });
    app.task('save', locked('cpu'), () => {});
    app.broker.depth = async () => {
      throw new Error('down');
    };
    const seen = await meter.collect();
    expect(seen.map(({ name }) => name)).toEqual(['permits.used', 'permits.capacity']);
  });

  it('refuses what is no meter', async () => {
    const { app } = manualApp();
    await expect(measure(app, { meter: {} as never })).rejects.toBeInstanceOf(ConfigError);
    await expect(measure(app, { label: 'x' as never })).rejects.toBeInstanceOf(ConfigError);
    await expect(measure(app, { metre: 1 } as never)).rejects.toBeInstanceOf(ConfigError);
  });
});

describe('the global API', () => {
  afterEach(() => metrics.disable());

  it('gives the meter when none is handed over', async () => {
    const meter = new FakeMeter();
    metrics.setGlobalMeterProvider({ getMeter: () => meter as unknown as Meter });
    const app = createApp();
    await measure(app);
    await createWorker(app).start();
    const save = app.task('save', locked('cpu'), () => {});
    await (await save.delay()).get();
    expect(meter.recorded('permit.wait')).toHaveLength(1);
    await app.close();
  });

  it('is left alone where nobody has registered with it', async () => {
    const app = createApp();
    expect(await measureGlobally(app)).toBeUndefined();
    expect(app.events.has('task.started')).toBe(false);

    const meter = new FakeMeter();
    metrics.setGlobalMeterProvider({ getMeter: () => meter as unknown as Meter });
    const end = await measureGlobally(app);
    expect(app.events.has('task.started')).toBe(true);
    end!();
    await app.close();
  });

  it('can be handed its own meter: the types agree', async () => {
    const app = createApp();
    (await measure(app, { meter: metrics.getMeter('mine') }))();
    await app.close();
  });
});
