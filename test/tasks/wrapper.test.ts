import { BusyError, ConfigError, createApp, createLocks, currentTask, limited, locked } from 'lockkeeper';
import { describe, expect, it } from 'vitest';
import { until } from '../support/until.js';
import { errorOf, gate, settle, testApp } from './kit.js';

let names = 0;
/** A name that no other test has, for the limits of this process are shared by all. */
const unique = (what: string): string => `wrapper-test-${what}-${++names}`;

describe('locked(…)(fn) without an app', () => {
  it('lets no more run at once than there is room for, and the others wait their turn', async () => {
    const runs = gate();
    const save = locked(
      unique('storage'),
      2,
    )(async (n: number) => {
      await runs.body();
      return n * 2;
    });
    const calls = [1, 2, 3].map((n) => save(n));
    await until(() => runs.running === 2);
    runs.open();
    await until(() => runs.running === 1);
    runs.open();
    expect(await Promise.all(calls)).toEqual([2, 4, 6]);
    expect(runs.most).toBe(2);
  });

  it('shares its limits with everything in this process that names them', async () => {
    const name = unique('shared');
    const runs = gate();
    const first = locked(name)(runs.body)();
    await until(() => runs.running === 1);
    const app = createApp();
    const [other, locks] = [
      app.task('other', locked(name, { onBusy: 'fail' }), async () => {}),
      createLocks(),
    ];
    expect(await locks.tryAcquire(name)).toBeUndefined();
    expect(await errorOf(other())).toBeInstanceOf(BusyError);
    runs.open();
    await first;
    await other();
    await app.close();
    await locks.close();
  });

  it('keeps name, length and `this`, and makes a function that is not asynchronous one', async () => {
    function area(this: { width: number }, height: number, _unit?: string): number {
      return this.width * height;
    }
    const guarded = locked(unique('area'))(area);
    expect(guarded.name).toBe('area');
    expect(guarded.length).toBe(area.length);
    const pending = guarded.call({ width: 3 }, 4);
    expect(pending).toBeInstanceOf(Promise);
    expect(await pending).toBe(12);
  });

  it('rejects, never throws, also when the body throws at once or the key is wrong', async () => {
    const error = new RangeError('no');
    const fail = locked(unique('fail'))(() => {
      throw error;
    });
    const wrong = locked(() => 7 as never)(() => {});
    const [first, second] = [fail(), wrong()];
    expect(await errorOf(first)).toBe(error);
    expect(await errorOf(second)).toBeInstanceOf(ConfigError);
  });

  it('takes its key from the arguments, and is not limited where that is null', async () => {
    const runs = gate();
    const prefix = unique('tenant');
    const key = (id: string | null) => (id === null ? null : `${prefix}:${id}`);
    const work = locked(key)(async (_id: string | null) => await runs.body());
    const calls = ['a', 'a', 'b', null, null].map((id) => work(id));
    await until(() => runs.running === 4);
    runs.open();
    await until(() => runs.running === 1);
    runs.open();
    await Promise.all(calls);
  });

  it('may be put on several times, and all of them count', async () => {
    const [a, b] = [unique('a'), unique('b')];
    const locks = createLocks();
    const work = locked(a, { onBusy: 'fail' })(locked(b, { onBusy: 'fail' })(async () => 'done'));
    for (const name of [a, b]) {
      const held = await locks.acquire(name);
      expect(await errorOf(work())).toMatchObject({ code: 'BUSY', resource: name });
      await held.release();
    }
    expect(await work()).toBe('done');
    await locks.close();
  });

  it('starts no more often than a rate says', async () => {
    const send = limited(unique('rate'), '1/m', { burst: 2, onBusy: 'fail' })(async (n: number) => n);
    expect([await send(1), await send(2)]).toEqual([1, 2]);
    expect(await errorOf(send(3))).toMatchObject({ code: 'BUSY' });
  });

  it('of a rate that nobody says is an error of the call', async () => {
    const send = limited(unique('no-rate'))(async () => {});
    expect((await errorOf(send())).message).toMatch(
      /has no rate: give `limited` one, or declare it in `resources`/,
    );
  });
});

describe('a wrapped function that is made a task', () => {
  it('takes its limits along', async () => {
    const test = testApp({ resources: { storage: { capacity: 2 } } });
    const runs = gate();
    const save = locked('storage')(async (n: number) => {
      await runs.body();
      return { n, permits: currentTask().permits.map(({ resource }) => resource) };
    });
    const task = test.app.task('save', save);
    expect(task.limits.map(({ key }) => key)).toEqual(['storage']);
    const calls = await task.delayMany([[1], [2], [3]]);
    await test.drain();
    expect(runs.running).toBe(2);
    expect(test.putOffs(calls[2]!)).toMatchObject([{ resource: 'storage', reason: 'busy' }]);
    runs.open();
    await settle();
    runs.open();
    expect(await calls[2]?.get()).toEqual({ n: 3, permits: ['storage'] });
  });

  it('takes all its limits along, beside those of the task', async () => {
    const { app } = testApp();
    const save = locked('a')(limited('b', '1/s')(async (n: number) => n));
    const task = app.task('save', { limits: [locked('c')] }, save);
    expect(task.limits.map(({ key }) => key)).toEqual(['c', 'a', 'b']);
    expect(await task(7)).toBe(7);
  });

  it('is held to the limits of the app, whose resources may differ from those of this process', async () => {
    const { app } = testApp({ resources: { [`${unique('x')}`]: { capacity: 1 } } });
    const name = unique('both');
    const work = locked(name, { onBusy: 'fail' })(async () => 'done');
    const task = app.task('work', work);
    const held = await app.locks.acquire(name);
    expect(await errorOf(task())).toBeInstanceOf(BusyError);
    expect(await work()).toBe('done');
    await held.release();
  });
});
