import { createWorker, currentTask, locked, type Permit } from 'lockkeeper';
import { describe, expect, it } from 'vitest';
import { gate, manualApp, record } from './support.js';

const every = [
  'task.started',
  'task.done',
  'task.failed',
  'task.retried',
  'task.deferred',
  'task.skipped',
  'task.expired',
  'task.revoked',
  'task.aside',
  'task.lost',
] as const;

describe('an attempt', () => {
  it('that fails is followed by others, with longer and longer pauses', async () => {
    const { app, work, clock } = manualApp();
    const at: number[] = [];
    const flaky = app.task('flaky', { retry: { max: 3, delay: '1s', jitter: false } }, async () => {
      at.push(clock.now());
      if (at.length < 4) throw new Error('not yet');
      return currentTask().attempt;
    });
    await work();
    const call = await flaky.delay();
    await clock.advance('20s');
    expect(at).toEqual([0, 1_000, 3_000, 7_000]);
    expect(await call.get()).toBe(4);
  });

  it('whose body returns something that is only thenable goes on inside its run', async () => {
    const { app, work, settle } = manualApp();
    // biome-ignore lint/suspicious/noThenProperty: builders of queries are like this
    const query = { then: (resolve: (attempt: number) => void) => resolve(currentTask().attempt) };
    const lazy = app.task(
      'lazy',
      async () => await new Promise<number>((resolve) => resolve(query as never)),
    );
    const direct = app.task('direct', () => query as unknown as number);
    await work();
    const calls = [await lazy.delay(), await direct.delay()];
    await settle();
    expect(await Promise.all(calls.map((call) => call.get()))).toEqual([1, 1]);
  });

  it('is not used up by deferrals, losses or shutdowns', async () => {
    const { app, work, clock, settle } = manualApp();
    const attempts: number[] = [];
    const runs = gate();
    const save = app.task('save', locked('one'), async () => {
      const { attempt, signal } = currentTask();
      attempts.push(attempt);
      await runs.body();
      return signal.aborted;
    });
    const blocker = await app.locks.acquire('one');
    const first = await work();
    await save.delay();
    await settle();
    await blocker.release();
    await settle();
    expect(attempts).toEqual([1]);
    await clock.advance('5s');
    await app.locks.evict('one', (await app.locks.inspect('one')).holders[0]!.id);
    await settle();
    await runs.open();
    await clock.advance('1s');
    expect(attempts).toEqual([1, 1]);

    const stopping = first.stop({ drain: '1s' });
    await clock.advance('10s');
    await stopping;
    await work();
    await settle();
    expect(attempts).toEqual([1, 1, 1]);
    await runs.open();
  });
});

describe('a run past its time', () => {
  it('is told at the soft limit, and what it returns counts', async () => {
    const { app, work, clock } = manualApp();
    const slow = app.task('slow', { timeLimit: { soft: '2s', hard: '10s' } }, async () => {
      const { signal } = currentTask();
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      return signal.reason.code;
    });
    await work();
    const call = await slow.delay();
    await clock.advance('3s');
    expect(await call.get()).toBe('SOFT_TIME_LIMIT');
  });

  it('has failed at the hard limit, whatever it returns', async () => {
    const { app, work, clock } = manualApp();
    const slow = app.task('slow', { timeLimit: '2s' }, async () => {
      const { signal } = currentTask();
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      return 'done after all';
    });
    await work();
    const call = await slow.delay();
    await clock.advance('3s');
    await expect(call.get()).rejects.toMatchObject({ code: 'TIME_LIMIT' });
  });

  it('that does not return loses its permit after the grace, keeps its slot, and tells', async () => {
    const { app, work, clock, settle } = manualApp();
    const runs = gate();
    const abandoned = record(app, 'permit.abandoned');
    const stuck = app.task('stuck', { limits: [locked('one')], timeLimit: '2s' }, () => runs.body());
    const next = app.task('next', locked('one'), async () => 'in');
    await work({ concurrency: 2 });
    const call = await stuck.delay();
    await settle();
    const after = await next.delay();
    await clock.advance('6s');
    expect(await call.state).toBe('pending');
    await clock.advance('2s');
    await expect(call.get()).rejects.toMatchObject({ code: 'TIME_LIMIT' });
    expect(abandoned).toHaveLength(1);
    expect(await after.get()).toBe('in');
    expect(await app.broker.depth('default')).toMatchObject({ running: 1 });
    await runs.open();
    expect(await app.broker.depth('default')).toMatchObject({ running: 0 });
  });

  it('gives its permit up at maxHold', async () => {
    const { app, work, clock, settle } = manualApp();
    const runs = gate();
    const hung = app.task('hung', locked('one', { maxHold: '1m' }), () => runs.body());
    await work();
    const call = await hung.delay();
    await clock.advance('64s');
    expect((await app.locks.inspect('one')).holders).toHaveLength(1);
    await clock.advance('2s');
    expect((await app.locks.inspect('one')).holders).toHaveLength(0);
    await expect(call.get()).rejects.toMatchObject({ code: 'MAX_HOLD' });
    await runs.open();
    await settle();
  });
});

describe('a run that loses its permit', () => {
  const lose = async (onLost?: 'defer' | 'fail' | 'keep') => {
    const made = manualApp();
    const { app, work, settle } = made;
    const runs = gate();
    const reasons: unknown[] = [];
    const save = app.task('save', locked('one', { onLost }), async () => {
      const { signal } = currentTask();
      signal.addEventListener('abort', () => reasons.push(signal.reason.code));
      await runs.body();
      return runs.started;
    });
    await work();
    const call = await save.delay();
    await settle();
    const [holder] = (await app.locks.inspect('one')).holders;
    await app.locks.evict('one', holder!.id);
    await settle();
    expect(reasons).toEqual(['PERMIT_LOST']);
    await runs.open();
    await settle();
    return { ...made, call, runs };
  };

  it('is told at once; its result is discarded and it runs again', async () => {
    const { call, runs, settle } = await lose();
    await runs.open();
    await settle();
    expect(await call.get()).toBe(2);
  });

  it('fails, if its limit says so', async () => {
    const { call } = await lose('fail');
    await expect(call.get()).rejects.toMatchObject({ code: 'PERMIT_LOST' });
  });

  it('keeps its result, if its limit says so', async () => {
    const { call } = await lose('keep');
    expect(await call.get()).toBe(1);
  });

  it('and blocked the event loop meanwhile learns of it before anything else', async () => {
    const { app, work, clock } = manualApp();
    const seen: string[] = [];
    const block = app.task('block', locked('one', { lease: '3s' }), async () => {
      const [permit] = currentTask().permits;
      if (seen.length > 0) return 'second';
      clock.jump('4s');
      try {
        permit!.assertHeld();
        seen.push('held');
      } catch (error) {
        seen.push((error as { code: string }).code);
      }
      return 'first';
    });
    await work();
    const call = await block.delay();
    await clock.advance('10s');
    expect(seen).toEqual(['PERMIT_LOST']);
    expect(await call.get()).toBe('second');
  });
});

describe('a message that cannot be run', () => {
  it('of an unknown task is set aside with the reason, and can be replayed', async () => {
    const { app, work, settle } = manualApp();
    const events = record(app, ...every);
    const { memoryCoordinator, createApp } = await import('lockkeeper');
    const newer = createApp({ broker: app.broker, results: app.results, coordinator: memoryCoordinator() });
    const call = await newer.task('from-the-future', async () => 1).delay();
    await work();
    await settle();
    await expect(call.get()).rejects.toMatchObject({ code: 'ASIDE' });
    const [apart] = await app.broker.aside('default');
    expect(apart).toMatchObject({ reason: 'no task "from-the-future" is known here' });
    expect(events.map(({ event }) => event)).toEqual(['task.aside']);

    app.task('from-the-future', async () => 2);
    await app.broker.replay('default', apart!.id);
    await settle();
    expect(await call.get()).toBe(2);
    await newer.close();
  });

  it('is not run too late', async () => {
    const { app, work, clock } = manualApp();
    const late = app.task('late', async () => 1);
    const call = await late.applyAsync([], { expires: '5s', countdown: '6s' });
    await work();
    await clock.advance('7s');
    await expect(call.get()).rejects.toMatchObject({ code: 'EXPIRED' });
  });

  it('is set aside when its workers keep dying', async () => {
    const { app, work, clock, settle } = manualApp();
    const runs = gate();
    const poison = app.task('poison', { maxLost: 2 }, () => runs.body());
    const call = await poison.delay();
    for (let death = 0; death < 3; death++) {
      const worker = await work();
      await settle();
      await worker.crash();
      await clock.advance('15s');
    }
    expect(runs.started).toBe(3);
    await work();
    await settle();
    await expect(call.get()).rejects.toThrow('3 workers died while they ran it');
    expect(await app.broker.depth('default')).toMatchObject({ apart: 1, ready: 0 });
    await runs.open();
  });

  it('weighs more than there is: it is set aside and nobody behind it waits', async () => {
    const { app, work, settle } = manualApp({ resources: { pool: { capacity: 4 } } });
    const blocker = await app.locks.acquire('pool', { weight: 4 });
    const heavy = app.task('heavy', locked('pool', { weight: 4 }), async () => 'heavy');
    const light = app.task('light', locked('pool'), async () => 'light');
    await work();
    const [first, second] = [await heavy.delay(), await light.delay()];
    await settle();
    await app.locks.setCapacity('pool', 2);
    await blocker.release();
    await settle();
    await expect(first.get()).rejects.toMatchObject({ code: 'ASIDE' });
    expect(await second.get()).toBe('light');
  });
});

describe('revoking', () => {
  it('a parked message ends it at once', async () => {
    const { app, work, settle } = manualApp();
    const blocker = await app.locks.acquire('one');
    const save = app.task('save', locked('one'), async () => 1);
    await work();
    const call = await save.delay();
    await settle();
    await call.revoke();
    await settle();
    await expect(call.get()).rejects.toMatchObject({ code: 'REVOKED' });
    expect(await app.broker.depth('default')).toMatchObject({ parked: 0, ready: 0 });
    await blocker.release();
  });

  it('a run aborts its signal', async () => {
    const { app, work, settle } = manualApp();
    const slow = app.task('slow', async () => {
      const { signal } = currentTask();
      await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    });
    await work();
    const call = await slow.delay();
    await settle();
    await call.revoke();
    await settle();
    await expect(call.get()).rejects.toMatchObject({ code: 'REVOKED' });
  });
});

describe('choices on busy', () => {
  const busy = async (options: Parameters<typeof locked>[1] & object) => {
    const made = manualApp();
    const { app, work, settle } = made;
    const blocker = await app.locks.acquire('one');
    const save = app.task('save', locked('one', options), async () => 'ran');
    await work({ concurrency: 3 });
    const call = await save.delay();
    await settle();
    return { ...made, call, blocker };
  };

  it('skip: is not run, and its caller is told', async () => {
    const { call, blocker } = await busy({ onBusy: 'skip' });
    await expect(call.get()).rejects.toMatchObject({ code: 'SKIPPED' });
    await blocker.release();
  });

  it('fail: fails at once', async () => {
    const { call, blocker } = await busy({ onBusy: 'fail' });
    await expect(call.get()).rejects.toMatchObject({ code: 'BUSY' });
    await blocker.release();
  });

  it('wait: keeps its slot, and runs when it is let in', async () => {
    const { app, call, blocker, settle } = await busy({ onBusy: 'wait' });
    expect(await app.broker.depth('default')).toMatchObject({ running: 1, parked: 0 });
    await blocker.release();
    await settle();
    expect(await call.get()).toBe('ran');
  });

  it('wait: goes back to the queue after waitTimeout', async () => {
    const { app, call, blocker, clock, settle } = await busy({ onBusy: 'wait', waitTimeout: '4s' });
    await clock.advance('5s');
    expect(await app.broker.depth('default')).toMatchObject({ running: 0, parked: 1 });
    await blocker.release();
    await settle();
    expect(await call.get()).toBe('ran');
  });

  it('maxWait: fails when it was put off for so long', async () => {
    const { call, blocker, clock } = await busy({ maxWait: '1m' });
    await clock.advance('61s');
    await expect(call.get()).rejects.toMatchObject({ code: 'MAX_WAIT' });
    await blocker.release();
  });

  it('without maxWait: is told of once after 10 minutes, and goes on waiting', async () => {
    const { app, call, blocker, clock, settle } = await busy({});
    const told = record(app, 'task.waiting');
    await clock.advance('25m');
    expect(told).toHaveLength(1);
    await blocker.release();
    await settle();
    expect(await call.get()).toBe('ran');
  });
});

describe('stopping', () => {
  it('lets what runs end, and starts nothing more', async () => {
    const { app, work, settle } = manualApp();
    const runs = gate();
    const save = app.task('save', () => runs.body());
    const worker = await work({ concurrency: 2 });
    await save.delayMany(Array.from({ length: 5 }, () => [] as []));
    await settle();
    let stopped = false;
    const stopping = worker.stop().then(() => {
      stopped = true;
    });
    await settle();
    expect(stopped).toBe(false);
    await runs.open();
    await stopping;
    expect(runs.started).toBe(2);
    expect(await app.broker.depth('default')).toMatchObject({ ready: 3, running: 0 });
  });

  it('keeps renewing while it drains', async () => {
    const { app, work, clock, settle } = manualApp();
    const runs = gate();
    const lost = record(app, 'permit.lost');
    const save = app.task('save', locked('one', { lease: '3s' }), () => runs.body());
    const worker = await work();
    const call = await save.delay();
    await settle();
    const stopping = worker.stop();
    await clock.advance('20s');
    await runs.open();
    await stopping;
    expect(lost).toEqual([]);
    expect(await call.state).toBe('done');
  });

  it('tells what does not end, puts it back without an attempt, and gives its permit back', async () => {
    const { app, work, clock, settle } = manualApp();
    const runs = gate();
    const reasons: unknown[] = [];
    const save = app.task('save', locked('one'), async () => {
      const { signal } = currentTask();
      signal.addEventListener('abort', () => reasons.push(signal.reason.code));
      await runs.body();
    });
    const worker = await work();
    await save.delay();
    await settle();
    const stopping = worker.stop({ drain: '10s' });
    await clock.advance('11s');
    expect(reasons).toEqual(['SHUTDOWN']);
    await clock.advance('5s');
    await stopping;
    expect(await app.broker.depth('default')).toMatchObject({ ready: 1, running: 0 });
    expect((await app.locks.inspect('one')).holders).toEqual([]);
    await runs.open();
  });

  it('a second time is now', async () => {
    const { app, work, settle } = manualApp();
    const runs = gate();
    const save = app.task('save', () => runs.body());
    const worker = await work();
    await save.delay();
    await settle();
    const stopping = worker.stop();
    await settle();
    await Promise.all([stopping, worker.stop()]);
    expect(await app.broker.depth('default')).toMatchObject({ ready: 1, running: 0 });
    await runs.open();
  });

  it('ends while everything is being deferred', async () => {
    const { app, work } = manualApp();
    const blocker = await app.locks.acquire('one');
    const save = app.task('save', locked('one'), async () => 1);
    const worker = await work({ concurrency: 20 });
    await save.delayMany(Array.from({ length: 1_000 }, () => [] as []));
    await worker.stop();
    const { ready, parked, running, delayed } = await app.broker.depth('default');
    expect({ sum: ready + parked + delayed, running }).toEqual({ sum: 1_000, running: 0 });
    expect((await app.locks.inspect('one')).waiting).toEqual([]);
    await blocker.release();
  });

  it('before it was started is fine, and starting afterwards is an error', async () => {
    const { app } = manualApp();
    const worker = createWorker(app);
    await worker.stop();
    await expect(worker.start()).rejects.toMatchObject({ code: 'CONFIG' });
  });
});

describe('the permit of a run', () => {
  it('is not held any more by a run that is over, though its lease went on to the next', async () => {
    const { app, work, settle } = manualApp();
    const permits: Permit[] = [];
    const runs = gate();
    const save = app.task('save', locked('one'), async () => {
      permits.push(currentTask().permits[0]!);
      await runs.body();
    });
    await work();
    await save.delayMany([[], [], []]);
    await settle();
    while (permits.length < 3) await runs.open(1);
    expect(permits.map(({ held }) => held)).toEqual([false, false, true]);
    expect(() => permits[0]!.assertHeld()).toThrow('was released');
    expect(permits[1]!.token).toBe(permits[2]!.token);
    await runs.open();
  });

  it('can be given back before the run ends', async () => {
    const { app, work, settle } = manualApp();
    const runs = gate();
    const save = app.task('save', locked('one'), async () => {
      await currentTask().permits[0]!.release();
      await runs.body();
      return 'done';
    });
    await work();
    const calls = await save.delayMany([[], []]);
    await settle();
    expect(runs.running).toBe(2);
    await runs.open();
    expect(await Promise.all(calls.map((call) => call.get()))).toEqual(['done', 'done']);
  });
});

describe('a message that outlived its worker', () => {
  it('does not run beside its earlier run, though that had a permit which was handed on', async () => {
    const { app, work, clock, settle } = manualApp({ resources: { pool: { capacity: 2, lease: '60s' } } });
    const runs = gate();
    const save = app.task('save', locked('pool'), (_n: number) => runs.body());
    const doomed = await work({ concurrency: 2, lease: '5s' });
    const blocker = await app.locks.acquire('pool', { weight: 2 });
    await save.delay(1);
    await settle();
    await blocker.release();
    await settle();
    expect(runs.running).toBe(1);

    await doomed.crash();
    await work({ concurrency: 2, lease: '5s' });
    await clock.advance('50s');
    expect(runs.started).toBe(1);
    await clock.advance('15s');
    expect(runs.started).toBe(2);
    await runs.open();
  });

  it('waits for as long as at first, though it has run already', async () => {
    const { app, work, clock, settle } = manualApp();
    const seen: number[] = [];
    const save = app.task('save', locked('one', { maxWait: '1m' }), async () => {
      seen.push(clock.now());
      if (seen.length === 1) currentTask().defer(0);
      return 'ran';
    });
    const first = await app.locks.acquire('one', { maxHold: false });
    await work();
    const call = await save.delay();
    await clock.advance('50s');
    await first.release();
    await settle();
    const second = await app.locks.tryAcquire('one');
    await clock.advance('30s');
    await second?.release();
    await settle();
    expect(await call.get()).toBe('ran');
  });
});
