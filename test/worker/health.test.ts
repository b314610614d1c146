import { createApp, createWorker, locked, memoryBroker, memoryCoordinator, serveHealth } from 'lockkeeper';
import { ManualClock } from 'lockkeeper/testing';
import { afterEach, describe, expect, it } from 'vitest';
import type { Broker, ConsumeOptions, Consumer, Depth } from '../../src/brokers/broker.js';
import type { Duration } from '../../src/duration.js';
import { ConfigError } from '../../src/errors.js';
import type { AppOptions } from '../../src/tasks/app.js';
import { fate, ScriptedCoordinator } from '../support/scripted-coordinator.js';
import { gate, manualApp } from './support.js';

describe('the health of a worker', () => {
  it('is good while it fetches, and tells what it runs and since when', async () => {
    const { app, clock, work } = manualApp();
    const slow = gate();
    const save = app.task('save', slow.body);
    const worker = await work({ concurrency: 3 });
    const [first] = await save.delayMany([[]]);
    await clock.advance('20s');
    await save.delay();
    await clock.advance('10s');

    expect(await worker.health()).toEqual({
      ok: true,
      alive: true,
      problems: [],
      state: 'running',
      queues: ['default'],
      slots: 3,
      busy: 2,
      running: 2,
      abandoned: 0,
      oldestRun: { id: first!.id, task: 'save', age: 30_000 },
      broker: { kind: 'memory', reachable: true, silence: 0 },
      coordinators: [{ kind: 'memory', reachable: true }],
    });
    await slow.open();
  });

  it('is not good before it starts, while it stops, and when it has stopped', async () => {
    const { app, clock, settle } = manualApp();
    const slow = gate();
    const save = app.task('save', slow.body);
    const worker = createWorker(app);
    expect(await worker.health()).toMatchObject({
      ok: false,
      alive: true,
      state: 'new',
      problems: ['it has not started'],
    });

    await worker.start();
    await save.delay();
    await settle();
    const stopped = worker.stop();
    await settle();
    expect(await worker.health()).toMatchObject({
      ok: false,
      alive: true,
      state: 'stopping',
      running: 1,
      problems: ['it is stopping'],
    });

    await slow.open();
    await clock.advance('1s');
    await stopped;
    expect(await worker.health()).toMatchObject({
      ok: false,
      alive: false,
      state: 'stopped',
      problems: ['it has stopped'],
    });
  });

  it('tells a broker that is away, which a restart does not cure, and that it is back', async () => {
    const { broker, probe } = await onFailingBroker();
    for (let i = 0; i < 6; i++) expect(await probe()).toMatchObject({ ok: true });
    broker.answers = false;
    // Fetching was last answered a little earlier than what else is asked.
    for (broker.silence = 5_000; broker.silence < 60_000; broker.silence += 10_000) {
      expect(await probe()).toMatchObject({ ok: false, alive: true, broker: { reachable: false } });
    }
    expect((await probe()).problems).toEqual([
      'its fetching has had no answer for 1.1 min',
      'The memory broker is unavailable: no answer within 2000 ms',
    ]);

    broker.answers = true;
    // It answers again, and fetching may take a moment longer to be heard of.
    expect(await probe()).toMatchObject({ ok: false, alive: true, broker: { reachable: true } });
    broker.silence = 0;
    expect(await probe()).toMatchObject({ ok: true });
  });

  it('tells fetching that is dead though the broker answers all the while, which a restart cures', async () => {
    const { broker, probe } = await onFailingBroker();
    broker.silence = 16_000;
    expect(await probe()).toMatchObject({ ok: false, alive: true });
    expect(await probe()).toMatchObject({ ok: false, alive: true });

    expect(await probe()).toMatchObject({
      ok: false,
      alive: false,
      problems: ['its fetching has had no answer for 16 s, though the memory broker answers'],
    });
  });

  it('takes nothing for dead that it has seldom looked at: the broker may have been away in between', async () => {
    const { broker, probe } = await onFailingBroker();
    broker.silence = 40_000;
    for (let i = 0; i < 3; i++) expect(await probe('1m')).toMatchObject({ ok: false, alive: true });
  });

  it('tells a coordinator that does not answer, in time', async () => {
    const { worker, coordinator, clock } = await onScriptedCoordinator();
    coordinator.always(fate.hangs, 'inspect');
    const health = worker.health();
    await clock.advance('3s');
    expect(await health).toMatchObject({
      ok: false,
      alive: true,
      problems: [expect.stringContaining('coordinator is unavailable: no answer within 2000 ms')],
      coordinators: [{ reachable: false }],
    });

    coordinator.heal();
    expect(await worker.health()).toMatchObject({ ok: true });
  });

  it('tells a coordinator that answers questions and grants nothing, as long as that is news', async () => {
    const { app, worker, coordinator, clock } = await onScriptedCoordinator();
    coordinator.always(fate.down, 'enter');
    await app.locks.tryAcquire('storage').catch(() => {});
    expect(await worker.health()).toMatchObject({ ok: true });
    await app.task('save', locked('storage'), () => {}).delay();
    await clock.advance('5s');
    expect(await worker.health()).toMatchObject({ ok: false, coordinators: [{ reachable: false }] });

    coordinator.heal();
    await clock.advance('5s');
    expect(await worker.health()).toMatchObject({ ok: true });
  });

  it('tells that every slot holds a body that does not stop', async () => {
    const { app, clock, work } = manualApp();
    const slow = gate();
    const save = app.task('save', { timeLimit: '1s' }, slow.body);
    const worker = await work({ concurrency: 2 });
    await save.delayMany([[]]);
    await clock.advance('10s');
    expect(await worker.health()).toMatchObject({ ok: true, abandoned: 1, busy: 1 });
    await save.delay();
    await clock.advance('10s');

    expect(await worker.health()).toMatchObject({
      ok: false,
      alive: false,
      abandoned: 2,
      problems: ['all of its 2 slots hold bodies that do not stop'],
    });
    await slow.open();
    expect(await worker.health()).toMatchObject({ ok: true, abandoned: 0, busy: 0 });
  });

  it('rejects what is no time', async () => {
    const { app } = manualApp();
    const worker = createWorker(app);
    await expect(worker.health({ within: 'soon' as never })).rejects.toBeInstanceOf(ConfigError);
    await expect(worker.health({ timeout: 1 } as never)).rejects.toBeInstanceOf(ConfigError);
  });
});

describe('a probe over HTTP', () => {
  const open: { close(): Promise<void> }[] = [];
  afterEach(async () => {
    for (const one of open.splice(0).reverse()) await one.close();
  });

  const setUp = async () => {
    const app = createApp();
    open.push(app);
    let release!: () => void;
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    const save = app.task('save', () => released);
    const worker = createWorker(app);
    const server = await serveHealth(worker, { port: 0, host: '127.0.0.1' });
    open.push(server);
    const ask = async (path: string, method = 'GET') => {
      const response = await fetch(`http://127.0.0.1:${server.port}${path}`, { method });
      return { status: response.status, text: await response.text(), headers: response.headers };
    };
    return { worker, save, release, ask, server };
  };

  it('is answered with 200 when the worker is well, and else with 503 and the reasons', async () => {
    const { worker, ask, save, release } = await setUp();
    const early = await ask('/health');
    expect(early.status).toBe(503);
    expect(JSON.parse(early.text)).toMatchObject({ ok: false, problems: ['it has not started'] });
    expect((await ask('/live')).status).toBe(200);

    await worker.start();
    const call = await save.delay();
    const well = await ask('/health');
    expect(well.status).toBe(200);
    expect(well.headers.get('content-type')).toBe('application/json');
    expect(JSON.parse(well.text)).toMatchObject({ ok: true, slots: 10, state: 'running' });

    release();
    await call.get();
    await worker.stop();
    expect((await ask('/health')).status).toBe(503);
    expect((await ask('/live')).status).toBe(503);
  });

  it('is answered on two paths, and to those who only ask', async () => {
    const { worker, ask } = await setUp();
    await worker.start();
    expect((await ask('/health?from=probe')).status).toBe(200);
    expect(await ask('/live', 'HEAD')).toMatchObject({ status: 200, text: '' });
    for (const path of ['/', '/healthz', '/constructor', '/health/']) {
      expect((await ask(path)).status).toBe(404);
    }
    expect((await ask('/health', 'POST')).status).toBe(405);
  });

  it('says so when its port is taken', async () => {
    const { worker, server } = await setUp();
    const taken = serveHealth(worker, { port: server.port, host: '127.0.0.1' });
    await expect(taken).rejects.toMatchObject({ code: 'EADDRINUSE' });
    await expect(serveHealth(worker, { port: -1 })).rejects.toBeInstanceOf(ConfigError);
  });

  it('looks the worker over once, however many ask', async () => {
    const { worker, ask } = await setUp();
    await worker.start();
    let looks = 0;
    const health = worker.health.bind(worker);
    worker.health = async (options) => {
      looks++;
      await new Promise((resolve) => setTimeout(resolve, 50));
      return await health(options);
    };
    const answers = await Promise.all(Array.from({ length: 5 }, () => ask('/health')));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    expect(looks).toBeLessThan(5);
  });
});

/** A worker on a broker that fails as the test says, with a probe that looks at it after every 10 s. */
async function onFailingBroker() {
  const clock = new ManualClock();
  const broker = new FailingBroker(clock);
  const { work } = manualApp({ broker: broker.broker }, clock);
  const worker = await work();
  const probe = async (every: Duration = '10s') => {
    const health = worker.health();
    await clock.advance(every);
    return await health;
  };
  return { broker, probe };
}

class FailingBroker {
  answers = true;
  silence = 0;
  readonly broker: Broker;

  constructor(clock: ManualClock) {
    const inner = memoryBroker({ clock });
    const [consume, depth] = [inner.consume.bind(inner), inner.depth.bind(inner)];
    this.broker = Object.assign(inner, {
      consume: async (queues: readonly string[], options: ConsumeOptions) =>
        this.#wrap(await consume(queues, options)),
      depth: async (queue: string) =>
        this.answers ? await depth(queue) : await new Promise<Depth>(() => {}),
    });
  }

  #wrap(consumer: Consumer): Consumer {
    return new Proxy(consumer, {
      get: (target, name) => {
        if (name === 'silence') return this.silence;
        const value = Reflect.get(target, name, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  }
}

async function onScriptedCoordinator(options: AppOptions = {}) {
  const clock = new ManualClock();
  const coordinator = new ScriptedCoordinator(memoryCoordinator({ clock }), clock);
  const { app, work } = manualApp({ ...options, coordinator }, clock);
  return { app, clock, coordinator, worker: await work() };
}
