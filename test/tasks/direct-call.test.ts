import {
  BusyError,
  ConfigError,
  currentTask,
  LockTimeoutError,
  limited,
  locked,
  MessageError,
} from 'lockkeeper';
import { describe, expect, it } from 'vitest';
import { errorOf, gate, pending, sent, settle, testApp } from './kit.js';

describe('a direct call', () => {
  it('runs here and now, and sends nothing', async () => {
    const { app } = testApp();
    const messages = sent(app);
    const add = app.task('add', locked('adder'), async (a: number, b: number) => a + b);
    expect(await add(1, 2)).toBe(3);
    expect(messages).toEqual([]);
  });

  it('gives and takes values as they are, for nothing travels', async () => {
    const { app } = testApp();
    const later = app.task('later', async (date: Date) => new Date(date.getTime() + 1));
    expect(await later(new Date(1))).toEqual(new Date(2));
    expect(await errorOf(later.delay(new Date(1)))).toBeInstanceOf(MessageError);
  });

  it('rejects with the very error that the body threw', async () => {
    const { app } = testApp();
    const error = new RangeError('no');
    const fail = app.task('fail', () => {
      throw error;
    });
    expect(await errorOf(fail())).toBe(error);
  });

  it('waits in the fair line for its turn', async () => {
    const { app } = testApp();
    const runs = gate();
    const order: number[] = [];
    const work = app.task('work', locked('one'), async (n: number) => {
      order.push(n);
      await runs.body();
    });
    const calls = [1, 2, 3].map((n) => work(n));
    for (let turn = 1; turn <= 3; turn++) {
      await settle();
      expect(order.length).toBe(turn);
      runs.open();
    }
    await Promise.all(calls);
    expect(order).toEqual([1, 2, 3]);
    expect(runs.most).toBe(1);
  });

  it.each<[string, { waitTimeout?: number }, number]>([
    ['30 s', {}, 30_000],
    ['`waitTimeout`', { waitTimeout: 500 }, 500],
  ])('gives up waiting after %s', async (_, options, waited) => {
    const { app, clock } = testApp();
    const work = app.task('work', locked('one', options), async () => {});
    const held = await app.locks.acquire('one');
    const failing = errorOf(work());
    await clock.advance(waited - 1);
    expect(await pending(failing)).toBe(true);
    await clock.advance(1);
    const error = await failing;
    expect(error).toBeInstanceOf(LockTimeoutError);
    expect(error).toMatchObject({ resource: 'one', waited, code: 'LOCK_TIMEOUT' });
    await held.release();
    await work();
  });

  it.each(['skip', 'fail'] as const)('does not wait at all when its limit says `%s`', async (onBusy) => {
    const { app } = testApp();
    let runs = 0;
    const work = app.task('work', locked('one', { onBusy }), async () => void runs++);
    const held = await app.locks.acquire('one');
    const error = await errorOf(work());
    expect(error).toBeInstanceOf(BusyError);
    expect(error).toMatchObject({ resource: 'one', code: 'BUSY' });
    await held.release();
    await work();
    expect(runs).toBe(1);
  });

  it('waits for its start under a rate', async () => {
    const { app, clock } = testApp();
    const at: number[] = [];
    const send = app.task('send', limited('sms', '60/m'), async () => void at.push(clock.now()));
    const calls = [send(), send(), send()];
    await clock.advance('3s');
    await Promise.all(calls);
    expect(at).toEqual([0, 1_000, 2_000]);
  });

  it('gives up at once when its start under a rate is farther away than it may wait', async () => {
    const { app } = testApp();
    const send = app.task('send', limited('sms', '1/m', { waitTimeout: '30s' }), async () => {});
    const skip = app.task('skip', limited('sms', '1/m', { onBusy: 'skip' }), async () => {});
    await send();
    expect(await errorOf(send())).toBeInstanceOf(LockTimeoutError);
    expect(await errorOf(skip())).toMatchObject({ code: 'BUSY', resource: 'sms', retryAfter: 60_000 });
  });

  it('waits for all of its limits, and gives back what it had when one stays busy', async () => {
    const { app, clock } = testApp();
    const limits = [locked('a'), locked('b', { waitTimeout: '1s' })];
    const work = app.task('work', { limits }, async () => {});
    const held = await app.locks.acquire('b');
    const failing = errorOf(work());
    await clock.advance('1s');
    expect(await failing).toMatchObject({ code: 'LOCK_TIMEOUT', resource: 'b' });
    expect(await app.locks.tryAcquire('a')).toBeDefined();
    await held.release();
  });

  it('gives its permits back when the body throws', async () => {
    const { app } = testApp();
    const fail = app.task('fail', locked('one'), async () => {
      throw new Error('no');
    });
    await errorOf(fail());
    const permit = await app.locks.tryAcquire('one');
    expect(permit?.held).toBe(true);
  });

  it('computes the key from its arguments, and rejects when that fails', async () => {
    const { app } = testApp();
    const work = app.task(
      'work',
      locked((n: number) => (n < 0 ? (undefined as never) : `n${n}`)),
      async (n: number) => currentTask().permits.map(({ resource }) => `${resource} for ${n}`),
    );
    expect(await work(1)).toEqual(['n1 for 1']);
    const error = await errorOf(work(-1));
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.message).toContain(
      'Expected `the key that a key function returns` to be a text, or null for no limit',
    );
  });

  it('that finds room between those of workers keeps the limit with them', async () => {
    const test = testApp();
    const runs = gate();
    const work = test.app.task('work', locked('one'), async () => await runs.body());
    const queued = await work.delay();
    await test.drain();
    expect(runs.running).toBe(1);
    const direct = work();
    await settle();
    expect(runs.running).toBe(1);
    runs.open();
    await settle();
    expect(runs.running).toBe(1);
    runs.open();
    await Promise.all([queued.get(), direct]);
    expect(runs.most).toBe(1);
  });
});
