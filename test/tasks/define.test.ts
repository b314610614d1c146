import { ConfigError, LockedTask, limited, locked } from 'lockkeeper';
import { describe, expect, it } from 'vitest';
import { errorOf, testApp } from './kit.js';

const noop = async () => {};

describe('app.task', () => {
  it('makes a task of a name and a function', async () => {
    const test = testApp();
    const add = test.app.task('add', async (a: number, b: number) => a + b);
    expect(add.taskName).toBe('add');
    expect(add.name).toBe('add');
    expect(add.limits).toEqual([]);
    const sum = await add.delay(1, 2);
    await test.drain();
    expect(await sum.get()).toBe(3);
  });

  it('takes a limit between the two', async () => {
    const test = testApp();
    const add = test.app.task('add', locked('adder'), async (a: number, b: number) => a + b);
    expect(add.limits.map(({ kind, key }) => ({ kind, key }))).toEqual([{ kind: 'permits', key: 'adder' }]);
    const sum = await add.delay(1, 2);
    await test.drain();
    expect(await sum.get()).toBe(3);
  });

  it('takes options, with any number of limits', async () => {
    const test = testApp();
    const limits = [locked('a', 2), limited('b', '10/s')];
    const add = test.app.task(
      'add',
      { limits, queue: 'sums', priority: 3 },
      async (a: number, b: number) => a + b,
    );
    expect(add.limits.map(({ key }) => key)).toEqual(['a', 'b']);
    expect(test.app.queues).toEqual(['default', 'sums']);
    const sum = await add.delay(1, 2);
    await test.drain();
    expect(await sum.get()).toBe(3);
  });

  it('takes a function that is not asynchronous, and one that returns nothing', async () => {
    const test = testApp();
    const add = test.app.task('add', (a: number, b: number) => a + b);
    const nothing = test.app.task('nothing', noop);
    const [sum, done] = [await add.delay(1, 2), await nothing.delay()];
    await test.drain();
    expect(await sum.get()).toBe(3);
    expect(await done.get()).toBeUndefined();
    expect(await add(3, 4)).toBe(7);
  });

  it('refuses a name that is taken, whatever made the first', async () => {
    const { app } = testApp();
    app.task('add', noop);
    expect(() => app.task('add', noop)).toThrow(
      new ConfigError('The app has a task "add" already: names must be unique'),
    );
    class Add extends LockedTask {
      static readonly taskName = 'add';
      lockName = 'adder';
      async lockedRun() {}
    }
    expect(() => app.register(Add)).toThrow('"add"');
  });

  it('leaves no trace of a task that it refused', () => {
    const { app } = testApp();
    expect(() => app.task('add', { priority: 10 }, noop)).toThrow(ConfigError);
    app.task('add', noop);
  });
});

describe('a definition that is wrong', () => {
  const define = (...given: unknown[]): unknown => (testApp().app.task as any)(...given);

  it.each<[string, unknown[], string]>([
    ['no name', ['', noop], 'Expected `name` to be a text that is not empty, got ""'],
    ['a name that is no text', [7, noop], 'Expected `name` to be a text that is not empty, got 7'],
    ['no function', ['t'], 'Expected `the function of task "t"` to be a function, got undefined'],
    ['a limit, and no function', ['t', locked('x')], 'Expected `the function of task "t"` to be a function'],
    [
      'a class',
      ['t', class Job {}],
      'Expected `the function of task "t"` to be a function, got the function Job',
    ],
    ['the limit last', ['t', noop, locked('x')], 'Expected `the function of task "t"` to be a function'],
    ['options last', ['t', noop, { priority: 1 }], 'Expected `the function of task "t"` to be a function'],
    [
      'options that are a text',
      ['t', 'queue', noop],
      'Expected `the options of task "t"` to be an object, got "queue"',
    ],
    [
      'options that are null',
      ['t', null, noop],
      'Expected `the options of task "t"` to be an object, got null',
    ],
    [
      'a list of limits without its name',
      ['t', [locked('x')], noop],
      'Expected `the options of task "t"` to be an object, got an array',
    ],
    [
      'limits that are no list',
      ['t', { limits: locked('x') }, noop],
      'Expected `limits of task "t"` to be a list of limits',
    ],
    [
      'limits that are names',
      ['t', { limits: ['x'] }, noop],
      'Expected `limits of task "t"` to be a list of limits',
    ],
  ])('is refused: %s', (_, given, message) => {
    expect(() => define(...given)).toThrow(ConfigError);
    expect(() => define(...given)).toThrow(message);
  });

  it.each<[string, unknown, string]>([
    ['queue', '', 'Expected `queue` to be a text that is not empty, got ""'],
    ['queue', 5, 'Expected `queue` to be a text that is not empty, got 5'],
    ['priority', 10, 'Expected `priority` to be a whole number from 0 to 9 (9 comes first), got 10'],
    ['priority', -1, 'got -1'],
    ['priority', 1.5, 'got 1.5'],
    ['priority', '5', 'got "5"'],
    ['expires', 'soon', 'Expected `expires` to be a duration of 0 or more'],
    ['expires', -1, 'got -1'],
    ['maxLost', -1, 'Expected `maxLost` to be a whole number from 0 up, got -1'],
    ['maxLost', Number.NaN, 'got NaN'],
    ['ignoreResult', 'no', 'Expected `ignoreResult` to be true or false, got "no"'],
    ['trackStates', 1, 'Expected `trackStates` to be true or false, got 1'],
    ['timeLimit', '5 parsecs', 'Expected `timeLimit of task "t"` to be a duration of 0 or more'],
    ['timeLimit', { soft: 'x' }, 'Expected `timeLimit of task "t".soft` to be a duration of 0 or more'],
    [
      'timeLimit',
      { soft: '2s', hard: '1s' },
      'The soft limit (2000 ms) in timeLimit of task "t" is not shorter than the hard one (1000 ms)',
    ],
    ['timeLimit', { weich: 1 }, '`timeLimit of task "t"` has no option `weich`'],
    ['retry', -1, 'Expected `retry of task "t".max` to be a whole number from 0 up, got -1'],
    ['retry', 'often', 'Expected `retry of task "t"` to be an object, got "often"'],
    ['retry', true, 'Expected `retry of task "t"` to be an object, got true'],
    ['retry', null, 'Expected `retry of task "t"` to be an object, got null'],
    ['retry', { max: 1.5 }, 'Expected `retry of task "t".max` to be a whole number from 0 up, got 1.5'],
    ['retry', { delay: '1 s.' }, 'Expected `retry of task "t".delay` to be a duration of 0 or more'],
    ['retry', { maxDelay: -5 }, 'Expected `retry of task "t".maxDelay` to be a duration of 0 or more'],
    [
      'retry',
      { backoff: 'linear' },
      'Expected `retry of task "t".backoff` to be \'exponential\' or \'fixed\', got "linear"',
    ],
    ['retry', { jitter: 'full' }, 'Expected `retry of task "t".jitter` to be true or false, got "full"'],
    [
      'retry',
      { retryOn: TypeError },
      'Expected `retry of task "t".retryOn` to be a list of error classes, or a function, got the function TypeError',
    ],
    [
      'retry',
      { retryOn: [TypeError, 'RangeError'] },
      'Expected `retry of task "t".retryOn` to be a list of error classes, or a function',
    ],
    ['retry', { retries: 3 }, '`retry of task "t"` has no option `retries`. It knows `max`'],
    [
      'prioritaet',
      3,
      '`the options of task "t"` has no option `prioritaet`. It knows `limits`, `queue`, `priority`',
    ],
    ['name', 'u', '`the options of task "t"` has no option `name`'],
  ])('is refused with the value: %s %o', (option, value, message) => {
    expect(() => define('t', { [option]: value }, noop)).toThrow(ConfigError);
    expect(() => define('t', { [option]: value }, noop)).toThrow(message);
  });

  it.each([
    'queue',
    'priority',
    'retry',
    'timeLimit',
    'expires',
    'maxLost',
    'ignoreResult',
    'trackStates',
    'limits',
  ])('is not one whose `%s` is undefined: the default counts', (option) => {
    define(`undefined ${option}`, { [option]: undefined }, noop);
  });
});

describe('createApp', () => {
  const create = (options: unknown) => () => testApp(options as never);

  it.each<[string, unknown, string]>([
    [
      'an option that it does not know',
      { borker: 'memory:' },
      '`options` has no option `borker`. It knows `broker`',
    ],
    ['a broker that it does not know', { broker: 'kafka://here' }, 'No broker is known for "kafka://here"'],
    [
      'a broker that is none',
      { broker: 5 },
      'Expected `broker` to be a URL, or an object that is one, got 5',
    ],
    ['a coordinator that is none', { coordinator: 5 }, 'Expected `coordinator` to be a URL such as'],
    [
      'a result store that is none',
      { results: true },
      'Expected `results` to be a URL, or an object that is one, got true',
    ],
    [
      'results that are sent by a broker that sends none',
      { results: 'rpc://' },
      "`results: 'rpc://'`) by the RabbitMQ that is the `broker`, and here that is memory",
    ],
    ['an empty queue name', { queue: '' }, 'Expected `queue` to be a text that is not empty, got ""'],
    [
      'a message size below any message',
      { maxMessageBytes: 10 },
      'Expected `maxMessageBytes` to be a whole number from 1024 up, got 10',
    ],
    [
      'results kept for a time that is none',
      { resultsFor: 'a while' },
      'Expected `resultsFor` to be a duration of 0 or more',
    ],
    [
      'a call deadline that is none',
      { callTimeout: {} },
      'Expected `callTimeout` to be a duration of 0 or more',
    ],
  ])('refuses %s', (_, options, message) => {
    expect(create(options)).toThrow(ConfigError);
    expect(create(options)).toThrow(message);
  });

  it('hides the password of a URL that it refuses', async () => {
    const error = await errorOf(create({ broker: 'kafka://me:secret@here' }));
    expect(error.message).toContain('kafka://me:***@here');
  });
});
