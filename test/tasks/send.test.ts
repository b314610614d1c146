import { type CallOptions, ConfigError, currentTask, locked, MessageError, type Task } from 'lockkeeper';
import { describe, expect, it } from 'vitest';
import { errorOf, sent, settle, testApp } from './kit.js';

/** An app with a task that notes when each call started. */
function noting() {
  const test = testApp();
  const messages = sent(test.app);
  const started: { n: number; at: number }[] = [];
  const note = test.app.task(
    'note',
    { queue: 'notes', expires: '1h' },
    async (n: number, _more?: unknown) => {
      started.push({ n, at: test.clock.now() });
      return n;
    },
  );
  return { ...test, test, messages, started, note };
}

describe('delay', () => {
  it('has a worker run the task, and resolves before it does', async () => {
    const { test, note, started, messages } = noting();
    const call = await note.delay(7);
    expect(started).toEqual([]);
    expect(messages).toHaveLength(1);
    await test.drain();
    expect(await call.get()).toBe(7);
    expect(started).toHaveLength(1);
  });

  it('sends the arguments, the shares of the limits, and who sends', async () => {
    const { app, clock } = testApp();
    const messages = sent(app);
    const tenant = (id: string) => (id === 'free' ? null : `tenant:${id}`);
    const limits = [locked(tenant, 5, { weight: (id) => id.length }), locked('all', 9)];
    const work = app.task('work', { limits, priority: 4, expires: '5s' }, async (_id: string) => {});
    const call = await work.delay('acme');
    await work.delay('free');
    expect(messages[0]?.options).toEqual({ queue: 'default', delay: 0 });
    expect(messages[0]?.message).toMatchObject({
      id: call.id,
      task: 'work',
      args: ['acme'],
      shares: [
        { key: 'tenant:acme', weight: 4 },
        { key: 'all', weight: 1 },
      ],
      priority: 4,
      retries: 0,
      deferrals: 0,
      sentAt: clock.wall(),
      expires: clock.wall() + 5_000,
      origin: expect.stringMatching(new RegExp(`^${process.pid}@.+`)),
    });
    expect(messages[1]?.message.shares).toEqual([null, { key: 'all', weight: 1 }]);
  });

  it('gives every call an id of its own', async () => {
    const { note } = noting();
    const calls = await Promise.all([1, 2, 3].map((n) => note.delay(n)));
    expect(new Set(calls.map(({ id }) => id)).size).toBe(3);
  });

  it('leaves out trailing arguments that are undefined', async () => {
    const { note, messages } = noting();
    await note.delay(1, undefined);
    await note.delay(undefined as never, undefined);
    expect(messages.map(({ message }) => message.args)).toEqual([[1], []]);
  });
});

describe('delayMany', () => {
  it('sends many in one step, in this order, and gives a result for each', async () => {
    const { test, note, started, messages } = noting();
    const calls = await note.delayMany([[3], [1], [2]]);
    expect(messages.map(({ message }) => message.id)).toEqual(calls.map(({ id }) => id));
    await test.drain();
    expect(started.map(({ n }) => n)).toEqual([3, 1, 2]);
    expect(await Promise.all(calls.map((call) => call.get()))).toEqual([3, 1, 2]);
  });

  it('takes whatever can be gone through', async () => {
    const { test, note } = noting();
    function* calls(): Generator<[number]> {
      yield [1];
      yield [2];
    }
    const results = await note.delayMany(calls());
    await test.drain();
    expect(await Promise.all(results.map((call) => call.get()))).toEqual([1, 2]);
  });

  it('sends nothing for nothing', async () => {
    const { note, messages } = noting();
    expect(await note.delayMany([])).toEqual([]);
    expect(messages).toEqual([]);
  });

  it('sends none when one of them is wrong', async () => {
    const { note, messages } = noting();
    expect(await errorOf(note.delayMany([[1], [2, () => {}], [3]]))).toBeInstanceOf(MessageError);
    expect(await errorOf(note.delayMany([[1], 2 as never]))).toMatchObject({
      message: 'Expected `args` to be a list of arguments, got 2',
    });
    expect(messages).toEqual([]);
  });
});

describe('applyAsync', () => {
  it('starts no sooner than its countdown', async () => {
    const { test, note, started } = noting();
    await note.applyAsync([1], { countdown: '10s' });
    await test.advance(9_999);
    expect(started).toEqual([]);
    await test.advance(1);
    expect(started).toEqual([{ n: 1, at: 10_000 }]);
  });

  it('starts no sooner than its eta, and at once when that is past', async () => {
    const { test, note, started, clock } = noting();
    await note.applyAsync([1], { eta: new Date(clock.wall() + 2_000) });
    await note.applyAsync([2], { eta: new Date(clock.wall() - 2_000) });
    await test.drain();
    expect(started).toEqual([{ n: 2, at: 0 }]);
    await test.advance('2s');
    expect(started).toEqual([
      { n: 2, at: 0 },
      { n: 1, at: 2_000 },
    ]);
  });

  it.each<[string, (wall: number) => CallOptions['expires']]>([
    ['a duration', () => '5s'],
    ['a Date', (wall) => new Date(wall + 5_000)],
  ])('is not started any more once it has expired, by %s', async (_, expires) => {
    const { test, note, started, clock } = noting();
    const late = await note.applyAsync([1], { expires: expires(clock.wall()), countdown: '5s' });
    const early = await note.applyAsync([2], { expires: expires(clock.wall()), countdown: 4_999 });
    await test.advance('5s');
    expect(started.map(({ n }) => n)).toEqual([2]);
    expect(await late.state).toBe('expired');
    expect(await errorOf(late.get())).toMatchObject({ code: 'EXPIRED', taskId: late.id });
    expect(await early.get()).toBe(2);
  });

  it('overrides when the task expires', async () => {
    const { note, messages, clock } = noting();
    await note.applyAsync([1], { expires: '1m' });
    await note.applyAsync([1], {});
    expect(messages.map(({ message }) => message.expires)).toEqual([
      clock.wall() + 60_000,
      clock.wall() + 3_600_000,
    ]);
  });

  it('comes first with a higher priority', async () => {
    const { test, note, started } = noting();
    for (const [n, priority] of [5, 0, 9].entries()) await note.applyAsync([n], { priority });
    await test.drain();
    expect(started.map(({ n }) => n)).toEqual([2, 0, 1]);
  });

  it('goes to another queue, which its own workers serve', async () => {
    const { test, note, started, messages } = noting();
    const call = await note.applyAsync([1], { queue: 'elsewhere' });
    expect(messages[0]?.options.queue).toBe('elsewhere');
    await test.drain();
    expect(started).toEqual([]);
    await test.startWorker({ queues: ['elsewhere'] });
    await settle();
    expect(await call.get()).toBe(1);
  });

  it('has the id that it is given', async () => {
    const { test, app } = noting();
    const id = app.task('id', async () => currentTask().id);
    const call = await id.applyAsync([], { taskId: 'order-7' });
    expect(call.id).toBe('order-7');
    await test.drain();
    expect(await call.get()).toBe('order-7');
    expect(await app.result('order-7').get()).toBe('order-7');
  });

  it.each<[string, CallOptions['retry'], number[]]>([
    ['other attempts than the task has', 2, [0, 1_000, 2_000]],
    ['no other attempt', 0, [0]],
    ['another pause', { delay: '5s' }, [0, 5_000]],
    ['both', { max: 2, delay: 10 }, [0, 10, 20]],
  ])('may ask for %s', async (_, retry, at) => {
    const { test, app, clock } = noting();
    const started: number[] = [];
    const policy = { max: 1, delay: '1s', backoff: 'fixed', jitter: false } as const;
    const fail = app.task('fail', { retry: policy }, async () => {
      started.push(clock.now());
      throw new Error('no');
    });
    const call = await fail.applyAsync([], { retry });
    await test.advance('1m');
    expect(started).toEqual(at);
    expect(await call.state).toBe('failed');
  });

  it('keeps no result when told so, and keeps one though the task says not to', async () => {
    const { test, app, note } = noting();
    const quiet = app.task('quiet', { ignoreResult: true }, async () => 1);
    const calls = [
      await note.applyAsync([1], { ignoreResult: true }),
      await quiet.delay(),
      await quiet.applyAsync([], { ignoreResult: false }),
    ];
    await test.drain();
    expect(await Promise.all(calls.map((call) => call.state))).toEqual(['pending', 'pending', 'done']);
  });

  it.each<[string, unknown, string]>([
    [
      'countdown',
      -1,
      "Expected `countdown` to be a duration of 0 or more (milliseconds, or a text such as '5s' or '2m'), got -1",
    ],
    ['countdown', 'soon', 'Expected `countdown` to be a duration'],
    ['countdown', null, 'Expected `countdown` to be a duration'],
    ['eta', 5, 'Expected `eta` to be a valid Date, got 5'],
    ['eta', new Date('never'), 'Expected `eta` to be a valid Date, got an object (Date)'],
    ['expires', new Date('never'), 'Expected `expires` to be a valid Date'],
    ['expires', 'tomorrow', 'Expected `expires` to be a duration'],
    ['priority', 10, 'Expected `priority` to be a whole number from 0 to 9 (9 comes first), got 10'],
    ['queue', '', 'Expected `queue` to be a text that is not empty, got ""'],
    ['queue', 3, 'Expected `queue` to be a text that is not empty, got 3'],
    ['taskId', '', 'Expected `taskId` to be a text that is not empty, got ""'],
    ['taskId', 9, 'Expected `taskId` to be a text that is not empty, got 9'],
    ['retry', -1, 'Expected `retry.max` to be a whole number from 0 up, got -1'],
    ['retry', null, 'Expected `retry` to be an object, got null'],
    ['retry', false, 'Expected `retry` to be an object, got false'],
    ['retry', { delay: 'x' }, 'Expected `retry.delay` to be a duration'],
    ['retry', { jitter: false }, '`retry` has no option `jitter`. It knows `max`, `delay`'],
    ['ignoreResult', 'no', 'Expected `ignoreResult` to be true or false, got "no"'],
    ['delay', '5s', '`options` has no option `delay`. It knows `countdown`'],
  ])('refuses a wrong value before anything is sent: %s %o', async (option, value, message) => {
    const { note, messages } = noting();
    const error = await errorOf(note.applyAsync([1], { [option]: value }));
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.message).toContain(message);
    expect(messages).toEqual([]);
  });

  it('refuses a countdown together with an eta', async () => {
    const { note, messages } = noting();
    const error = await errorOf(note.applyAsync([1], { countdown: 1, eta: new Date() }));
    expect(error.message).toBe('A call has either a `countdown` or an `eta`, and this one has both');
    expect(messages).toEqual([]);
  });

  it.each([[undefined], ['ab'], [{ 0: 1 }]])('refuses arguments that are no list: %o', async (args) => {
    const { app } = testApp();
    const keys: unknown[] = [];
    const limit = locked((...given: unknown[]) => {
      keys.push(given);
      return 'x';
    });
    const task: Task<unknown[], void> = app.task('t', limit, async (..._: unknown[]) => {});
    const error = await errorOf(task.applyAsync(args as never));
    expect(error.message).toContain('Expected `args` to be a list of arguments, got');
    expect(keys).toEqual([]);
  });

  it('takes an option that is undefined as one not given', async () => {
    const { note, messages } = noting();
    const none = {
      countdown: undefined,
      eta: undefined,
      expires: undefined,
      priority: undefined,
      queue: undefined,
    };
    await note.applyAsync([1], { ...none, taskId: undefined, retry: undefined, ignoreResult: undefined });
    expect(messages[0]?.options).toEqual({ queue: 'notes', delay: 0 });
  });
});
