import { BusyError, currentTask, LockTimeoutError, limited, locked } from 'lockkeeper';
import { describe, expect, it } from 'vitest';
import { errorOf, settle, testApp } from './kit.js';

describe('inside a run', () => {
  it('a limit that the run holds is entered again at no cost', async () => {
    const test = testApp();
    const inner = test.app.task('inner', locked('one'), async () =>
      currentTask().permits.map(({ token }) => token),
    );
    const outer = test.app.task('outer', locked('one'), async () => {
      const { token } = currentTask().permits[0]!;
      const tokens = [
        ...(await inner()),
        await test.app.locks.using('one', (permit) => permit.token),
        await test.app.locks.using('one', () => test.app.locks.using('one', (permit) => permit.token)),
        (await test.app.locks.tryAcquire('one'))?.token,
        (await test.app.locks.acquire('one')).token,
      ];
      return tokens.map((other) => other === token);
    });
    const call = await outer.delay();
    await test.drain();
    expect(await call.get()).not.toContain(false);
  });

  it('giving back what was entered again keeps the permit of the run', async () => {
    const test = testApp();
    const outer = test.app.task('outer', locked('one'), async () => {
      const permit = await test.app.locks.acquire('one');
      await permit.release();
      return { nested: permit.held, own: currentTask().permits[0]?.held };
    });
    const call = await outer.delay();
    await test.drain();
    expect(await call.get()).toEqual({ nested: false, own: true });
    expect(await test.app.locks.tryAcquire('one')).toBeDefined();
  });

  it('more of a resource than the run holds is a limit of its own', async () => {
    const test = testApp({ resources: { storage: { capacity: 3 } } });
    const outer = test.app.task('outer', locked('storage'), async () => {
      const more = await test.app.locks.tryAcquire('storage', { weight: 2 });
      const { holders } = await test.app.locks.inspect('storage');
      const tooMuch = await test.app.locks.tryAcquire('storage', { weight: 3 });
      await more?.release();
      return { holders: holders.map(({ weight }) => weight), tooMuch };
    });
    const call = await outer.delay();
    await test.drain();
    expect(await call.get()).toEqual({ holders: [1, 2] });
  });

  it('another limit is only tried', async () => {
    const test = testApp();
    const inner = test.app.task('inner', locked('other'), async () => 'ran');
    const rate = test.app.task('rate', limited('starts', '1/m'), async () => 'ran');
    const outer = test.app.task('outer', async (busy: boolean) => {
      if (!busy) return [await inner(), await test.app.locks.using('other', () => 'ran'), await rate()];
      const errors = [
        await errorOf(inner()),
        await errorOf(test.app.locks.acquire('other')),
        await errorOf(rate()),
      ];
      return errors.map((error) => [error instanceof BusyError, error.resource]);
    });
    const free = await outer.delay(false);
    await test.drain();
    expect(await free.get()).toEqual(['ran', 'ran', 'ran']);
    const held = await test.app.locks.acquire('other');
    const busy = await outer.delay(true);
    await test.drain();
    expect(await busy.get()).toEqual([
      [true, 'other'],
      [true, 'other'],
      [true, 'starts'],
    ]);
    await held.release();
  });

  it('another limit is only tried in a direct call within a direct call too', async () => {
    const test = testApp();
    const inner = test.app.task('inner', async () => (await errorOf(test.app.locks.acquire('other'))).code);
    const middle = test.app.task('middle', locked('middle'), async () => await inner());
    const outer = test.app.task('outer', async () => await middle());
    const held = await test.app.locks.acquire('other');
    const call = await outer.delay();
    await test.drain();
    expect(await call.get({ timeout: 1 })).toBe('BUSY');
    await held.release();
  });

  it('another limit is waited for when the call says how long', async () => {
    const test = testApp();
    const inner = test.app.task('inner', locked('other', { waitTimeout: '3s' }), async () => 'ran');
    const outer = test.app.task('outer', async (how: 'task' | 'locks') =>
      how === 'task'
        ? await inner()
        : await test.app.locks.using('other', { waitTimeout: '3s' }, () => 'ran'),
    );
    for (const how of ['task', 'locks'] as const) {
      const held = await test.app.locks.acquire('other');
      const late = await outer.delay(how);
      await test.startWorker();
      await settle();
      await test.clock.advance('3s');
      expect(await errorOf(late.get({ timeout: 1 }))).toMatchObject({
        name: LockTimeoutError.name,
        code: 'LOCK_TIMEOUT',
      });
      const early = await outer.delay(how);
      await settle();
      await test.clock.advance('2s');
      await held.release();
      await settle();
      expect(await early.get({ timeout: 1 })).toBe('ran');
    }
  });

  it('what a busy limit refused may be handled by the body, and fails it otherwise', async () => {
    const test = testApp();
    const outer = test.app.task('outer', { retry: 1 }, async () => {
      await test.app.locks.using('other', () => {});
    });
    const held = await test.app.locks.acquire('other');
    const call = await outer.applyAsync([], { retry: 0 });
    await test.drain();
    expect(await errorOf(call.get())).toMatchObject({ name: 'BusyError', code: 'BUSY' });
    await held.release();
  });
});

describe('outside a run', () => {
  it('a direct call waits for limits within its body, as long as calls do', async () => {
    const { app, clock } = testApp();
    const outer = app.task('outer', locked('one'), async () => await app.locks.using('other', () => 'ran'));
    const held = await app.locks.acquire('other');
    const call = outer();
    await clock.advance('20s');
    await held.release();
    expect(await call).toBe('ran');
  });

  it('a limit that the body of `using` holds is entered again at no cost', async () => {
    const { app } = testApp();
    const work = app.task(
      'work',
      locked('one', { onBusy: 'fail' }),
      async () => currentTask().permits.length,
    );
    const [inside, twice] = await app.locks.using('one', async () => [
      await work(),
      await app.locks.using('one', () => 'twice'),
    ]);
    expect([inside, twice]).toEqual([1, 'twice']);
  });
});

describe('app.locks', () => {
  it('has the resources of the app, and the same limits as its tasks', async () => {
    const { app } = testApp({ resources: { storage: { capacity: 2 }, sms: { rate: '1/m', burst: 2 } } });
    const save = app.task('save', locked('storage', { onBusy: 'fail' }), async () => {});
    const [a, b] = [await app.locks.acquire('storage'), await app.locks.tryAcquire('storage')];
    expect(await app.locks.tryAcquire('storage')).toBeUndefined();
    expect(await errorOf(save())).toBeInstanceOf(BusyError);
    await a.release();
    await save();
    await b?.release();
    await app.locks.start('sms');
    await app.locks.start('sms');
    expect(await errorOf(app.locks.start('sms', { waitTimeout: 0 }))).toMatchObject({
      code: 'BUSY',
      retryAfter: 60_000,
    });
    expect((await errorOf(app.locks.acquire('sms'))).message).toContain('"sms" is a rate');
  });

  it('gives back what `using` held, whatever becomes of the body', async () => {
    const { app } = testApp();
    expect(await app.locks.using('one', async (permit) => permit.resource)).toBe('one');
    const error = new Error('no');
    const failing = app.locks.using('one', () => {
      throw error;
    });
    expect(await errorOf(failing)).toBe(error);
    expect(await app.locks.tryAcquire('one')).toBeDefined();
  });
});
