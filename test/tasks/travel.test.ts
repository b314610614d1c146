import { MessageError } from 'lockkeeper';
import { describe, expect, it } from 'vitest';
import { errorOf, sent, testApp } from './kit.js';

class Money {
  constructor(readonly cents: number) {}
}

function cycle(): unknown {
  const loop: { self?: unknown } = {};
  loop.self = loop;
  return loop;
}

function nested(depth: number): unknown {
  let value: unknown = 'deep';
  for (let i = 0; i < depth; i++) value = [value];
  return value;
}

const cannotTravel: [string, unknown, string][] = [
  ['a Date', new Date(0), 'a Date (send its `toISOString()` or `getTime()`)'],
  ['a Map', new Map([[1, 2]]), 'an object (Map)'],
  ['a Set', new Set([1]), 'an object (Set)'],
  ['a bigint', 7n, 'a bigint (send it as a text)'],
  ['a function', () => 1, 'the function'],
  ['a symbol', Symbol('s'), 'Symbol(s)'],
  ['an instance of a class', new Money(5), 'an object (Money)'],
  ['an Error', new TypeError('no'), 'an object (TypeError)'],
  ['a Buffer', Buffer.from('abc'), 'an object (Buffer)'],
  ['NaN', Number.NaN, 'is NaN, which JSON cannot carry'],
  ['an infinity', Number.NEGATIVE_INFINITY, 'is -Infinity, which JSON cannot carry'],
  ['undefined in a list', [1, undefined], 'is undefined (send null)'],
  [
    'a hole in a list',
    Array.from({ length: 2 }, (_, i) => i).concat(new Array(1)),
    'is undefined (send null)',
  ],
  ['a cycle', cycle(), 'is nested too deeply, or contains itself'],
  ['ten thousand lists in each other', nested(10_000), 'is nested too deeply, or contains itself'],
];

const travels: [string, unknown][] = [
  ['texts, with whatever is in them', ['', '\u0000', '\ud800', '"', '😀', '\u2028']],
  ['numbers', [0, -1, 1.5, 1e300, 5e-324, Number.MAX_SAFE_INTEGER]],
  ['true, false and null', [true, false, null]],
  ['objects in lists in objects', { a: [{ b: { c: [] } }], d: {} }],
  ['objects without a prototype', Object.assign(Object.create(null), { a: 1 })],
  ['odd names', JSON.parse('{"": 1, "__proto__": 2, "constructor": 3, "toJSON": 4}')],
  ['long names, one in the other', { ['x'.repeat(4_000)]: { ['y'.repeat(4_000)]: { z: 1 } } }],
  ['five hundred lists in each other', nested(500)],
];

describe('an argument', () => {
  it.each(cannotTravel)(
    'that would not arrive as it is, is refused where the task is called: %s',
    async (_, value, what) => {
      const { app } = testApp();
      const messages = sent(app);
      const take = app.task('take', async (..._args: unknown[]) => {});
      for (const args of [
        [value, 'last'],
        ['first', { inside: [value] }, 'last'],
      ]) {
        const error = await errorOf(take.delay(...args));
        expect(error).toBeInstanceOf(MessageError);
        expect(error.message).toContain(what);
        expect(error.message).toContain('take arguments');
      }
      expect(messages).toEqual([]);
    },
  );

  it('is named by the way to it', async () => {
    const { app } = testApp();
    const take = app.task('take', async (..._args: unknown[]) => {});
    const error = await errorOf(take.delay('a', { docs: [{ at: new Date(0) }] }));
    expect(error.message).toMatch(/^take arguments\[1\]\.docs\[0\]\.at is a Date/);
  });

  it.each(travels)('arrives as it was: %s', async (_, value) => {
    const test = testApp();
    let arrived: unknown;
    const take = test.app.task('take', async (given: unknown) => {
      arrived = given;
      return given;
    });
    const call = await take.delay(value);
    await test.drain();
    expect(arrived).toEqual(value);
    expect(await call.get()).toEqual(value);
  });

  it('arrives as a copy', async () => {
    const test = testApp();
    const doc = { pages: 1 };
    const read = test.app.task('read', async (given: { pages: number }) => given.pages);
    const call = await read.delay(doc);
    doc.pages = 2;
    await test.drain();
    expect(await call.get()).toBe(1);
  });

  it('may have properties that are undefined, which do not arrive', async () => {
    const test = testApp();
    const keys = test.app.task('keys', async (given: object) => Object.keys(given));
    const call = await keys.delay({ a: 1, b: undefined });
    await test.drain();
    expect(await call.get()).toEqual(['a']);
  });

  it('that is undefined arrives when it stands last, and is refused before others', async () => {
    const test = testApp();
    const count = test.app.task('count', async (...given: unknown[]) => given.length);
    const call = await count.delay(1, undefined, undefined);
    await test.drain();
    expect(await call.get()).toBe(1);
    const error = await errorOf(count.delay(undefined, 1));
    expect(error.message).toBe('count arguments[0] is undefined (send null), which JSON cannot carry');
  });
});

describe('the size of a call', () => {
  it('is bounded by 1 MiB, of bytes and not of letters', async () => {
    const { app } = testApp();
    const messages = sent(app);
    const take = app.task('take', async (_text: string) => {});
    await take.delay('x'.repeat(1_000_000));
    await take.delay('ä'.repeat(500_000));
    const error = await errorOf(take.delay('ä'.repeat(600_000)));
    expect(error).toBeInstanceOf(MessageError);
    expect(error.message).toMatch(
      /^The call of "take" is 1200\d\d\d bytes, and 1048576 are allowed: send a reference to the data, or raise `maxMessageBytes` of the app$/,
    );
    expect(messages).toHaveLength(2);
  });

  it('is what the app says', async () => {
    const { app } = testApp({ maxMessageBytes: 2_000 });
    const take = app.task('take', async (_text: string) => {});
    await take.delay('x'.repeat(1_500));
    expect(await errorOf(take.delay('x'.repeat(2_000)))).toBeInstanceOf(MessageError);
  });
});

describe('a result', () => {
  it.each(cannotTravel)('that would not arrive as it is fails the task, once: %s', async (_, value, what) => {
    const test = testApp();
    let runs = 0;
    const give = test.app.task('give', { retry: 3 }, async (): Promise<unknown> => {
      runs++;
      return { value };
    });
    const call = await give.delay();
    await test.advance('1h');
    const error = await errorOf(call.get());
    expect(error).toMatchObject({ name: 'MessageError', code: 'MESSAGE' });
    expect(error.message).toContain(what);
    expect(error.message).toContain('The result of "give"');
    expect(runs).toBe(1);
  });

  it('that is too large fails the task', async () => {
    const test = testApp({ maxMessageBytes: 2_000 });
    const give = test.app.task('give', async (length: number) => 'x'.repeat(length));
    const [small, large] = [await give.delay(1_000), await give.delay(3_000)];
    await test.drain();
    expect(await small.get()).toHaveLength(1_000);
    expect((await errorOf(large.get())).message).toContain(
      'The result of "give" is 3002 bytes, and 2000 are allowed',
    );
  });

  it('that nobody keeps may be anything', async () => {
    const test = testApp();
    const done: string[] = [];
    test.app.on('task.done', ({ task }) => done.push(task));
    const give = test.app.task('give', { ignoreResult: true }, async () => new Map());
    await give.delay();
    await test.drain();
    expect(done).toEqual(['give']);
  });

  it('may be undefined, which stays so', async () => {
    const test = testApp();
    const give = test.app.task('give', async () => undefined);
    const call = await give.delay();
    await test.drain();
    expect(await call.get()).toBeUndefined();
    expect(await call.state).toBe('done');
  });
});
