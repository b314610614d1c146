import { getEventListeners } from 'node:events';
import { ConfigError, currentTask, locked, MessageError } from 'lockkeeper';
import { describe, expect, it, onTestFinished } from 'vitest';
import { errorOf, gate, sent, settle, testApp } from './kit.js';

describe('currentTask', () => {
  it('tells the run which call and which attempt it is', async () => {
    const test = testApp();
    const work = test.app.task('work', { retry: { max: 2, delay: 0 } }, async () => {
      const { id, name, attempt, deferrals } = currentTask();
      if (attempt < 3) throw new Error('not yet');
      return { id, name, attempt, deferrals };
    });
    const call = await work.delay();
    await test.drain();
    await test.advance(1);
    expect(await call.get()).toEqual({ id: call.id, name: 'work', attempt: 3, deferrals: 0 });
  });

  it('counts deferrals apart from attempts', async () => {
    const test = testApp();
    const work = test.app.task('work', locked('one'), async () => {
      const { attempt, deferrals } = currentTask();
      return { attempt, deferrals };
    });
    const held = await test.app.locks.acquire('one');
    const call = await work.delay();
    await test.drain();
    await held.release();
    await settle();
    expect(await call.get()).toEqual({ attempt: 1, deferrals: 1 });
  });

  it('has the permits of the run, by the order of their names, as long as it runs', async () => {
    const test = testApp();
    const runs = gate();
    const limits = [locked('b', 3, { weight: 2 }), locked('a'), locked(() => null)];
    let permits: readonly { held: boolean }[] = [];
    const work = test.app.task('work', { limits }, async () => {
      ({ permits } = currentTask());
      await runs.body();
      return currentTask().permits.map(({ resource, weight, held, token }) => ({
        resource,
        weight,
        held,
        token: typeof token,
      }));
    });
    const call = await work.delay();
    await test.drain();
    runs.open();
    expect(await call.get()).toEqual([
      { resource: 'a', weight: 1, held: true, token: 'bigint' },
      { resource: 'b', weight: 2, held: true, token: 'bigint' },
    ]);
    await settle();
    expect(permits.map(({ held }) => held)).toEqual([false, false]);
  });

  it('is known to everything that the body calls and awaits, and to nobody else', async () => {
    const test = testApp();
    const helper = async () => {
      await settle();
      return currentTask().id;
    };
    const work = test.app.task('work', helper);
    const [a, b] = await work.delayMany([[], []]);
    await test.drain();
    expect([await a?.get(), await b?.get()]).toEqual([a?.id, b?.id]);
    const error = await errorOf(helper());
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.message).toBe('currentTask() was called outside a run of a task');
  });

  it('has a signal that aborts with the reason to stop, also when asked for only then', async () => {
    const test = testApp();
    const runs = gate();
    const reasons: unknown[] = [];
    const work = test.app.task('work', { timeLimit: { soft: '1s' } }, async (early: boolean) => {
      const task = currentTask();
      if (early) task.signal.addEventListener('abort', () => reasons.push(task.signal.reason));
      await runs.body();
      if (!early) reasons.push(task.signal.reason);
    });
    await work.delayMany([[true], [false]]);
    await test.drain();
    await test.clock.advance('1s');
    runs.open();
    await settle();
    expect(reasons).toMatchObject([{ code: 'SOFT_TIME_LIMIT' }, { code: 'SOFT_TIME_LIMIT' }]);
  });

  it('has a signal that many may listen to, without a warning', async () => {
    const test = testApp();
    const warnings: Error[] = [];
    const note = (warning: Error) => warnings.push(warning);
    process.on('warning', note);
    onTestFinished(() => void process.off('warning', note));
    const work = test.app.task('work', async () => {
      for (let i = 0; i < 20; i++) currentTask().signal.addEventListener('abort', () => {});
    });
    await work.delay();
    await test.drain();
    expect(warnings).toEqual([]);
  });

  it('has a signal that aborts when a permit is lost', async () => {
    const test = testApp();
    let reason: any;
    const work = test.app.task('work', locked('one', { onLost: 'fail' }), async () => {
      const { signal } = currentTask();
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      reason = signal.reason;
    });
    const call = await work.delay();
    await test.drain();
    const { holders } = await test.app.locks.inspect('one');
    await test.app.locks.evict('one', holders[0]!.id);
    await test.clock.advance('5s');
    expect(reason).toMatchObject({ code: 'PERMIT_LOST', resource: 'one' });
    expect(await errorOf(call.get())).toMatchObject({ code: 'PERMIT_LOST' });
  });
});

describe('progress', () => {
  it('is told to whoever asks for the state', async () => {
    const test = testApp();
    const runs = gate();
    const work = test.app.task('work', async () => {
      await currentTask().progress({ pages: 3 });
      await runs.body();
      return 'all';
    });
    const call = await work.delay();
    await test.drain();
    expect(await call.details()).toMatchObject({ state: 'started', progress: { pages: 3 } });
    runs.open();
    await settle();
    expect(await call.details()).toMatchObject({ state: 'done', value: 'all' });
  });

  it('that cannot travel is refused', async () => {
    const test = testApp();
    const work = test.app.task('work', async () => (await errorOf(currentTask().progress(new Map()))).code);
    const call = await work.delay();
    await test.drain();
    expect(await call.get()).toBe(new MessageError('').code);
  });
});

describe('retry()', () => {
  it('ends the run as a failed attempt, and comes back after the delay it asks for', async () => {
    const test = testApp();
    const at: number[] = [];
    const retried: unknown[] = [];
    test.app.on('task.retried', ({ attempt, after }) => retried.push({ attempt, after }));
    const work = test.app.task('work', { retry: { max: 3, jitter: false } }, async () => {
      at.push(test.clock.now());
      const { attempt } = currentTask();
      if (attempt === 1) currentTask().retry({ delay: '7s' });
      if (attempt === 2) currentTask().retry();
      return attempt;
    });
    const call = await work.delay();
    await test.advance('1m');
    expect(at).toEqual([0, 7_000, 9_000]);
    expect(retried).toEqual([
      { attempt: 1, after: 7_000 },
      { attempt: 2, after: 2_000 },
    ]);
    expect(await call.get()).toBe(3);
  });

  it('fails for good when no attempt is left, with the error that it was given', async () => {
    const test = testApp();
    const plain = test.app.task('plain', async () => currentTask().retry());
    const named = test.app.task('named', { retry: { max: 1, delay: 0 } }, async () =>
      currentTask().retry({ error: new RangeError(`attempt ${currentTask().attempt}`) }),
    );
    const calls = [await plain.delay(), await named.delay()];
    await test.advance('1s');
    expect((await errorOf(calls[0]!.get())).message).toBe(
      '"plain" asked for another attempt, and none is left',
    );
    expect(await errorOf(calls[1]!.get())).toMatchObject({ name: 'RangeError', message: 'attempt 2' });
  });

  it('refuses a delay that is none', async () => {
    const test = testApp();
    const work = test.app.task('work', { retry: 3 }, async () =>
      currentTask().retry({ delay: 'later' as never }),
    );
    const call = await work.applyAsync([], { retry: 0 });
    await test.drain();
    expect(await errorOf(call.get())).toMatchObject({ code: 'CONFIG' });
  });
});

describe('defer()', () => {
  it('puts the task back without using an attempt, and without a failure', async () => {
    const test = testApp();
    const at: number[] = [];
    const reasons: unknown[] = [];
    test.app.on('task.deferred', ({ reason, after }) => reasons.push({ reason, after }));
    const work = test.app.task('work', locked('one'), async () => {
      at.push(test.clock.now());
      const { attempt, deferrals } = currentTask();
      if (deferrals < 2) currentTask().defer('10s');
      return { attempt, deferrals };
    });
    const call = await work.delay();
    await test.advance('1m');
    expect(at).toEqual([0, 10_000, 20_000]);
    expect(await call.get()).toEqual({ attempt: 1, deferrals: 2 });
    expect(reasons).toEqual([
      { reason: 'asked', after: 10_000 },
      { reason: 'asked', after: 10_000 },
    ]);
  });

  it('gives its permits back the while', async () => {
    const test = testApp();
    const order: string[] = [];
    const work = test.app.task('work', locked('one'), async (name: string) => {
      order.push(name);
      if (name === 'a' && currentTask().deferrals === 0) currentTask().defer('1s');
    });
    await work.delayMany([['a'], ['b']]);
    await test.advance('1s');
    expect(order).toEqual(['a', 'b', 'a']);
  });
});

describe('in a direct call', () => {
  it('tells what it can: a run of its own, the first attempt, and the permits', async () => {
    const { app } = testApp();
    const work = app.task('work', locked('one'), async () => {
      const { id, name, attempt, deferrals, permits, signal } = currentTask();
      await currentTask().progress(1);
      return {
        id,
        name,
        attempt,
        deferrals,
        permits: permits.map(({ resource }) => resource),
        aborted: signal.aborted,
      };
    });
    const told = await work();
    expect(told).toEqual({
      id: expect.any(String),
      name: 'work',
      attempt: 1,
      deferrals: 0,
      permits: ['one'],
      aborted: false,
    });
    expect(await work()).not.toEqual(told);
  });

  it.each(['retry', 'defer'] as const)('has no queue to go back to: %s() throws', async (verb) => {
    const { app } = testApp();
    const work = app.task('work', { retry: 3 }, async () => currentTask()[verb](1 as never));
    const error = await errorOf(work());
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.message).toBe(
      `work was called directly, so it has no queue to go back to: ${verb}() needs a worker`,
    );
  });

  it('has its own permits only, not those of the run that it is made in', async () => {
    const test = testApp();
    const names = () => currentTask().permits.map(({ resource }) => resource);
    const inner = test.app.task('inner', locked('b'), async () => names());
    const outer = test.app.task('outer', locked('a'), async () => [await inner(), names()]);
    const call = await outer.delay();
    await test.drain();
    expect(await call.get()).toEqual([['b'], ['a']]);
  });

  it('made within a run, stops when that run is to stop', async () => {
    const test = testApp();
    const inner = test.app.task('inner', async () => {
      const { signal } = currentTask();
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      return signal.reason.code;
    });
    let told: unknown;
    const outer = test.app.task('outer', async () => {
      told = await inner();
    });
    const call = await outer.delay();
    await test.drain();
    await call.revoke();
    await errorOf(call.get());
    expect(told).toBe('REVOKED');
  });

  it('made within a run, leaves nothing on the signal of that run', async () => {
    const test = testApp();
    const inner = test.app.task('inner', async () => currentTask().signal.aborted);
    const outer = test.app.task('outer', async () => {
      for (let i = 0; i < 20; i++) await inner();
      return getEventListeners(currentTask().signal, 'abort').length;
    });
    const call = await outer.delay();
    await test.drain();
    expect(await call.get()).toBe(0);
  });
});

describe('the calls that a run makes', () => {
  it('know their parent, and the first of the family', async () => {
    const test = testApp();
    const messages = sent(test.app);
    const leaf = test.app.task('leaf', async () => {});
    const middle = test.app.task('middle', async () => (await leaf.delay()).id);
    const root = test.app.task('root', async () => (await middle.delay()).id);
    const call = await root.delay();
    await test.drain();
    const [first, second, third] = messages.map(({ message }) => message);
    expect(first).toMatchObject({ task: 'root', id: call.id });
    expect(first).not.toHaveProperty('parentId');
    expect(first).not.toHaveProperty('rootId');
    expect(second).toMatchObject({ task: 'middle', parentId: call.id, rootId: call.id });
    expect(third).toMatchObject({ task: 'leaf', parentId: second?.id, rootId: call.id });
  });

  it('belong to the family of the run, also from a direct call in it', async () => {
    const test = testApp();
    const messages = sent(test.app);
    const leaf = test.app.task('leaf', async () => {});
    const direct = test.app.task('direct', async () => void (await leaf.delay()));
    const root = test.app.task('root', async () => await direct());
    const call = await root.delay();
    await test.drain();
    expect(messages[1]?.message).toMatchObject({ task: 'leaf', rootId: call.id });
  });
});
