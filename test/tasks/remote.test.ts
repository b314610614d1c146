import { type AppOptions, ConfigError, createApp, currentTask, locked } from 'lockkeeper';
import { describe, expect, it } from 'vitest';
import type { QueueOptions } from '../../src/brokers/broker.js';
import { MemoryBroker } from '../../src/brokers/memory.js';
import { MemoryResults } from '../../src/results/memory.js';
import { errorOf, sent, testApp } from './kit.js';

describe('a task that others run', () => {
  it('is called by its name, with no task of that name here', async () => {
    const { app } = testApp();
    const messages = sent(app);
    const add = app.remote<[a: number, b: number], number>('tasks.add', {
      queue: 'celery',
      priority: 3,
      expires: '5s',
      timeLimit: { soft: '1s', hard: '2s' },
      ignoreResult: true,
    });

    const call = await add.delay(1, 2);
    await add.applyAsync([], { kwargs: { a: 1, b: 2 }, timeLimit: '3s', countdown: '1s' });

    expect(add.taskName).toBe('tasks.add');
    expect(messages[0]).toMatchObject({
      options: { queue: 'celery', delay: 0 },
      message: {
        id: call.id,
        task: 'tasks.add',
        args: [1, 2],
        priority: 3,
        timeLimit: { soft: 1_000, hard: 2_000 },
        ignoreResult: true,
        expires: messages[0]!.message.sentAt + 5_000,
      },
    });
    expect(messages[0]?.message.shares).toBeUndefined();
    expect(messages[1]).toMatchObject({
      options: { queue: 'celery', delay: 1_000 },
      message: { args: [], kwargs: { a: 1, b: 2 }, timeLimit: { hard: 3_000 } },
    });
  });

  it('is no reason for a worker here to serve its queue', async () => {
    const { app } = testApp();
    app.remote('tasks.add', { queue: 'celery' });
    expect(app.queues).toEqual(['default']);
  });

  it('is run by whatever app has it', async () => {
    const test = testApp();
    test.app.task('double', async (n: number) => n * 2);
    const double = test.app.remote<[number], number>('double');
    const calls = await double.delayMany([[1], [2]]);
    await test.drain();
    expect(await Promise.all(calls.map((call) => call.get()))).toEqual([2, 4]);
  });

  it.each([
    ['an option that there is none of', () => ({ retry: 3 }), 'has no option `retry`'],
    ['a queue that is none', () => ({ queue: '' }), 'Expected `queue`'],
    ['a soft limit that is not shorter', () => ({ timeLimit: { soft: 5, hard: 5 } }), 'is not shorter'],
  ])('refuses %s', (_, options, message) => {
    const { app } = testApp();
    expect(() => app.remote('tasks.add', options() as never)).toThrow(message);
  });

  it('refuses named arguments that JSON cannot carry, and those that are none', async () => {
    const { app } = testApp();
    const add = app.remote('tasks.add');
    const when = { kwargs: { when: new Date(0) } };
    expect((await errorOf(add.applyAsync([], when))).message).toMatch(/by name\.when is a Date/);
    expect(await errorOf(add.applyAsync([], { kwargs: [] as never }))).toBeInstanceOf(ConfigError);
  });
});

describe('arguments that come by name', () => {
  const mail = (parameters?: readonly string[]) => {
    const test = testApp();
    const seen: unknown[][] = [];
    const limits = [locked((to: string) => `to:${to}`)];
    test.app.task('mail', { limits, parameters, retry: 3 }, async (...args: [to: string, ...unknown[]]) => {
      seen.push([...args, ...currentTask().permits.map(({ resource }) => resource)]);
    });
    return { test, seen, call: test.app.remote('mail') };
  };

  it('are put where the parameters of the task have them, for its limits too', async () => {
    const { test, seen, call } = mail(['to', 'subject', 'body']);
    await call.applyAsync(['a'], { kwargs: { body: 'b', subject: 's' } });
    await call.applyAsync([], { kwargs: { to: 'c', body: 'b' } });
    await test.drain();
    expect(seen).toEqual([
      ['a', 's', 'b', 'to:a'],
      ['c', undefined, 'b', 'to:c'],
    ]);
  });

  it.each([
    [
      'that there is no parameter for',
      ['to'],
      [],
      { from: 'a' },
      "got an unexpected keyword argument 'from': its parameters are to",
    ],
    [
      'of a task that names none',
      undefined,
      ['x'],
      { to: 'a' },
      "got an unexpected keyword argument 'to': it takes arguments by",
    ],
    [
      'that are there by their places too',
      ['to'],
      ['x'],
      { to: 'a' },
      "got multiple values for argument 'to'",
    ],
  ])('%s fail the call with a TypeError, at once', async (_, parameters, args, kwargs, message) => {
    const { test, seen, call } = mail(parameters);
    const result = await call.applyAsync(args, { kwargs });
    await test.drain();
    const error = await errorOf(result.get());
    expect(error).toBeInstanceOf(TypeError);
    expect(error.message).toContain(`mail() ${message}`);
    expect(seen).toEqual([]);
  });

  it.each([[['a', 'a']], [['']], ['a']])('want names that can be told apart: %j', (parameters) => {
    const { app } = testApp();
    expect(() => app.task('t', { parameters: parameters as never }, () => {})).toThrow(
      'Expected `parameters of task "t"`',
    );
  });
});

describe('the time limit of a call', () => {
  it('counts in place of that of its task, each of the two by itself', async () => {
    const test = testApp({ abortGrace: 0 });
    const reasons: unknown[] = [];
    const endless = test.app.task('endless', { timeLimit: { soft: '5s', hard: '6s' } }, async () => {
      const { signal } = currentTask();
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
      reasons.push([test.clock.now(), (signal.reason as Error).name]);
    });
    const start = test.clock.now();
    await endless.applyAsync([], { timeLimit: { soft: '1s' } });
    await endless.applyAsync([], { timeLimit: '2s' });
    await endless.delay();
    await test.drain();
    for (let i = 0; i < 8; i++) await test.advance('1s');
    expect(reasons).toEqual([
      [start + 1_000, 'SoftTimeLimitError'],
      [start + 2_000, 'TimeLimitError'],
      [start + 5_000, 'SoftTimeLimitError'],
    ]);
  });
});

describe('a queue that is shared with Celery', () => {
  it('is made known to a broker that can, and is refused by one that cannot', async () => {
    const declared: [string, QueueOptions][] = [];
    const broker = Object.assign(new MemoryBroker(), {
      declare: (queue: string, options: QueueOptions) => void declared.push([queue, options]),
    });
    const queues = {
      celery: { celery: true },
      urgent: { celery: { maxPriority: 10 } },
      own: {},
      off: { celery: false },
    };
    const app = createApp({ broker, queues });
    await app.close();
    await broker.close();

    expect(declared).toEqual([
      ['celery', { celery: true }],
      ['urgent', { celery: { maxPriority: 10 } }],
    ]);
    expect(() => createApp({ queues: { celery: { celery: true } } })).toThrow(
      'The queue "celery" is to be shared with Celery, which the memory broker cannot do',
    );
  });

  it.each<[unknown, string]>([
    [[], 'Expected `queues` to be an object'],
    [{ a: true }, 'Expected `queues["a"]` to be an object, got true'],
    [{ a: { shared: true } }, '`queues["a"]` has no option `shared`'],
    [
      { a: { celery: 'yes' } },
      'Expected `queues["a"].celery` to be true, false or { maxPriority }, got "yes"',
    ],
    [{ a: { celery: { maxPriority: 256 } } }, 'to be a whole number from 1 to 255, got 256'],
    [{ '': {} }, 'Expected `queues` to be a text'],
  ])('is said as %j in no app', (queues, message) => {
    expect(() => createApp({ queues } as AppOptions)).toThrow(message);
  });
});

describe('results that are sent', () => {
  it('are sent where the caller listens, unless nobody wants them', async () => {
    const results = Object.assign(new MemoryResults(), { address: async () => 'here' });
    const test = testApp({ results });
    const messages = sent(test.app);
    const puts: unknown[][] = [];
    const put = results.put.bind(results);
    results.put = async (id, state, ttl, ...reply: unknown[]) => {
      puts.push([id, state.state, ...reply]);
      await put(id, state, ttl);
    };
    const work = test.app.task('work', async () => {});
    const call = await work.delay();
    await work.applyAsync([], { ignoreResult: true });
    await test.drain();

    expect(messages.map(({ message }) => message.reply)).toEqual([{ to: 'here' }, undefined]);
    expect(puts).toEqual([[call.id, 'done', { to: 'here' }]]);
  });
});
