import { ConfigError, currentTask, locked, ResultTimeoutError, TaskRevokedError } from 'lockkeeper';
import { describe, expect, it } from 'vitest';
import { errorOf, gate, pending, settle, testApp } from './kit.js';

describe('get', () => {
  it('gives what the task returned, to all who ask and as often as they ask', async () => {
    const test = testApp();
    const add = test.app.task('add', async (a: number, b: number) => ({ sum: a + b }));
    const call = await add.delay(1, 2);
    const early = [call.get(), call.get()];
    await test.drain();
    expect(await Promise.all([...early, call.get()])).toEqual([{ sum: 3 }, { sum: 3 }, { sum: 3 }]);
  });

  it('gives up after its timeout, while the task goes on', async () => {
    const test = testApp();
    const runs = gate();
    const work = test.app.task('work', async () => {
      await runs.body();
      return 'done';
    });
    const call = await work.delay();
    await test.drain();
    const failing = errorOf(call.get({ timeout: '2s' }));
    await test.clock.advance(1_999);
    expect(await pending(failing)).toBe(true);
    await test.clock.advance(1);
    const error = await failing;
    expect(error).toBeInstanceOf(ResultTimeoutError);
    expect(error).toMatchObject({ taskId: call.id, timeout: 2_000, code: 'RESULT_TIMEOUT' });
    runs.open();
    await settle();
    expect(await call.get({ timeout: '2s' })).toBe('done');
  });

  it('leaves no timer behind when the result comes first', async () => {
    const test = testApp();
    const call = await test.app.task('quick', async () => 1).delay();
    await test.drain();
    const before = test.clock.next;
    expect(await call.get({ timeout: 7 })).toBe(1);
    expect(test.clock.next).toBe(before);
  });

  it('rejects with the reason of its signal, also of one that has aborted', async () => {
    const test = testApp();
    const call = await test.app.task('never', async () => {}).delay();
    const stop = new AbortController();
    const failing = errorOf(call.get({ signal: stop.signal }));
    stop.abort(new Error('not interested'));
    expect((await failing).message).toBe('not interested');
    expect((await errorOf(call.get({ signal: stop.signal }))).message).toBe('not interested');
    expect((await errorOf(call.get({ signal: AbortSignal.abort() }))).name).toBe('AbortError');
  });

  it.each<[unknown, string]>([
    [{ timeout: 'long' }, 'Expected `timeout` to be a duration of 0 or more'],
    [{ timeout: -1 }, 'got -1'],
    [{ timout: 5 }, '`options` has no option `timout`. It knows `timeout`, `signal`'],
    [5, 'Expected `options` to be an object, got 5'],
    [{ signal: 'stop' }, 'Expected `signal` to be an AbortSignal, got "stop"'],
  ])('refuses wrong options: %o', async (options, message) => {
    const { app } = testApp();
    const error = await errorOf(app.result('x').get(options as never));
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.message).toContain(message);
  });
});

describe('state and details', () => {
  it('follow the task to its end', async () => {
    const test = testApp();
    const runs = gate();
    const work = test.app.task('work', locked('one'), async () => {
      await runs.body();
      return 7;
    });
    const call = await work.delay();
    expect(await call.state).toBe('pending');
    expect(await call.details()).toEqual({ state: 'pending' });
    await test.drain();
    expect(await call.state).toBe('pending');
    runs.open();
    await settle();
    expect(await call.state).toBe('done');
    expect(await call.details()).toEqual({ state: 'done', value: 7, at: test.clock.wall() });
  });

  it('tell what is passed through too, when the task is told to keep that', async () => {
    const test = testApp();
    const runs = gate();
    const options = {
      limits: [locked('one')],
      trackStates: true,
      retry: { max: 1, delay: '1s' as const, jitter: false },
    };
    const work = test.app.task('work', options, async () => {
      await runs.body();
      if (currentTask().attempt === 1) throw new RangeError('not yet');
    });
    const held = await test.app.locks.acquire('one');
    const call = await work.delay();
    await test.drain();
    expect(await call.details()).toMatchObject({ state: 'deferred', resource: 'one' });
    await held.release();
    await settle();
    expect(await call.details()).toMatchObject({ state: 'started' });
    runs.open();
    await settle();
    expect(await call.details()).toMatchObject({
      state: 'retrying',
      error: { name: 'RangeError', message: 'not yet' },
    });
    await test.advance('1s');
    runs.open();
    await settle();
    expect(await call.state).toBe('done');
  });

  it('are pending for what nobody knows', async () => {
    const { app } = testApp();
    expect(await app.result('never-sent').state).toBe('pending');
  });

  it('are forgotten after the time that results are kept', async () => {
    const test = testApp({ resultsFor: '1m' });
    const call = await test.app.task('quick', async () => 1).delay();
    await test.drain();
    await test.advance(59_999);
    expect(await call.state).toBe('done');
    await test.advance(1);
    expect(await call.state).toBe('pending');
  });
});

describe('revoke', () => {
  it('takes back a call that waits for a worker', async () => {
    const test = testApp();
    const call = await test.app.task('work', async () => {}).delay();
    const failing = errorOf(call.get());
    await call.revoke();
    await test.drain();
    const error = await failing;
    expect(error).toBeInstanceOf(TaskRevokedError);
    expect(error).toMatchObject({ taskId: call.id, code: 'REVOKED' });
    expect(test.runs(call)).toBe(0);
    expect(await call.state).toBe('revoked');
  });

  it('takes back a delayed call at once, not when it is due', async () => {
    const test = testApp();
    const work = test.app.task('work', async () => {});
    const call = await work.applyAsync([], { countdown: '1h' });
    await test.drain();
    await call.revoke();
    await settle();
    expect(await call.state).toBe('revoked');
    await test.advance('2h');
    expect(test.runs(call)).toBe(0);
  });

  it('takes back a call that waits for a resource, and one that waits for another attempt', async () => {
    const test = testApp();
    const parked = test.app.task('parked', locked('one'), async () => {});
    const failing = test.app.task('failing', { retry: { max: 3, delay: '1m' } }, async () => {
      throw new Error('no');
    });
    const held = await test.app.locks.acquire('one');
    const calls = [await parked.delay(), await failing.delay()];
    await test.drain();
    for (const call of calls) await call.revoke();
    await settle();
    expect(await Promise.all(calls.map((call) => call.state))).toEqual(['revoked', 'revoked']);
    await held.release();
    await test.advance('1h');
    expect(calls.map((call) => test.runs(call))).toEqual([0, 1]);
  });

  it('aborts the signal of a call that runs, whose result does not count any more', async () => {
    const test = testApp();
    let reason: unknown;
    const work = test.app.task('work', async () => {
      const { signal } = currentTask();
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      reason = signal.reason;
      return 'too late';
    });
    const call = await work.delay();
    await test.drain();
    await call.revoke();
    expect(await errorOf(call.get())).toBeInstanceOf(TaskRevokedError);
    expect(reason).toBeInstanceOf(TaskRevokedError);
  });

  it('changes nothing for a call that has ended', async () => {
    const test = testApp();
    const call = await test.app.task('quick', async () => 1).delay();
    await test.drain();
    await call.revoke();
    await settle();
    expect(await call.get()).toBe(1);
  });
});

describe('forget', () => {
  it('drops what is kept', async () => {
    const test = testApp();
    const call = await test.app.task('quick', async () => 1).delay();
    await test.drain();
    await call.forget();
    expect(await call.state).toBe('pending');
  });
});

describe('app.result', () => {
  it('finds a call by its id, with all that the call itself can do', async () => {
    const test = testApp();
    const add = test.app.task('add', async (a: number, b: number) => a + b);
    const { id } = await add.delay(1, 2);
    await test.drain();
    const found = test.app.result<number>(id);
    expect(found.id).toBe(id);
    expect(await found.get()).toBe(3);
    const { id: other } = await add.applyAsync([1, 2], { countdown: '1h' });
    await test.app.result(other).revoke();
    await settle();
    expect(await test.app.result(other).state).toBe('revoked');
  });

  it.each([[''], [undefined], [7]])('refuses an id that is none: %o', (id) => {
    const { app } = testApp();
    expect(() => app.result(id as never)).toThrow('Expected `id` to be a text that is not empty');
  });
});
