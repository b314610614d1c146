import { ConfigError, currentTask, locked } from 'lockkeeper';
import { describe, expect, it } from 'vitest';
import { errorOf, gate, sent, settle, testApp } from './kit.js';

const odd: [string, string][] = [
  ['nothing', ''],
  ['a space', ' '],
  ['a star', '*'],
  ['a star in the middle', 'tenant:*:x'],
  ['a pattern as it is declared', 'tenant:*'],
  ['colons', '::'],
  ['braces, as Redis Cluster has them', '{}'],
  ['braces with something in them', 'a{b}c'],
  ['a line break', 'a\nb'],
  ['a null character', 'a\u0000b'],
  ['an emoji', '🔒'],
  ['half an emoji', '\ud83d'],
  ['letters of another script', 'ключ'],
  ['what a path would do', '../../etc'],
  ['the name of a method of every object', 'constructor'],
  ['the name of the prototype', '__proto__'],
  ['ten thousand letters', 'x'.repeat(10_000)],
  ['ten thousand letters and one', `${'x'.repeat(10_000)}y`],
];

describe('a key', () => {
  it.each(odd)('may be odd, and holds from the call to the permit: %s', async (_, key) => {
    const test = testApp();
    const runs = gate();
    const work = test.app.task(
      'work',
      locked((given: string) => given),
      async (_key: string) => {
        await runs.body();
        return currentTask().permits.map(({ resource }) => resource);
      },
    );
    const calls = await work.delayMany([[key], [key]]);
    await test.startWorker();
    await settle();
    expect(runs.running).toBe(1);
    for (let turn = 0; turn < 2; turn++) {
      runs.open();
      await settle();
    }
    expect(runs.most).toBe(1);
    expect(await Promise.all(calls.map((call) => call.get()))).toEqual([[key], [key]]);
  });

  it('is another resource than every other, however odd they are', async () => {
    const test = testApp({ worker: { concurrency: 50 } });
    const runs = gate();
    const work = test.app.task(
      'work',
      locked((given: string) => given),
      async (_key: string) => await runs.body(),
    );
    await work.delayMany([...odd, ...odd].map(([, key]) => [key]));
    await test.drain();
    expect(runs.running).toBe(odd.length);
    runs.open();
    await settle();
    expect(runs.running).toBe(odd.length);
  });

  it('with a star in it is one name, and no pattern', async () => {
    const { app } = testApp({ resources: { 'tenant:*': { capacity: 2 } } });
    const work = app.task(
      'work',
      locked((given: string) => given),
      async (_key: string) => currentTask().permits.length,
    );
    const star = await app.locks.acquire('tenant:*');
    const [a, b] = [await app.locks.acquire('tenant:a'), await app.locks.acquire('tenant:a')];
    expect(await work('tenant:*')).toBe(1);
    expect(await work('tenant:b')).toBe(1);
    for (const permit of [star, a, b]) await permit.release();
  });

  it('of null is not limited', async () => {
    const test = testApp();
    const messages = sent(test.app);
    const runs = gate();
    const limit = locked((account: string | null) => (account === null ? null : `account:${account}`));
    const work = test.app.task('work', limit, async (_account: string | null) => {
      await runs.body();
      return currentTask().permits.length;
    });
    const calls = await work.delayMany([[null], [null], ['a']]);
    expect(messages.map(({ message }) => message.shares)).toEqual([
      [null],
      [null],
      [{ key: 'account:a', weight: 1 }],
    ]);
    await test.drain();
    expect(runs.running).toBe(3);
    runs.open();
    expect(await Promise.all(calls.map((call) => call.get()))).toEqual([0, 0, 1]);
  });

  it.each([
    [undefined, 'undefined'],
    [7, '7'],
    [Number.NaN, 'NaN'],
    [{}, 'an object (Object)'],
    [Promise.resolve('a'), 'an object (Promise)'],
  ])('that is no text is an error at the call: %o', async (key, shown) => {
    const { app } = testApp();
    const messages = sent(app);
    const work = app.task(
      'work',
      locked(() => key as never),
      async () => {},
    );
    for (const call of [() => work.delay(), () => work(), () => work.delayMany([[]])]) {
      const error = await errorOf(call);
      expect(error).toBeInstanceOf(ConfigError);
      expect(error.message).toBe(
        `Expected \`the key that a key function returns\` to be a text, or null for no limit, got ${shown}`,
      );
    }
    expect(messages).toEqual([]);
  });

  it('whose function throws rejects the call with that error, and sends nothing', async () => {
    const { app } = testApp();
    const messages = sent(app);
    const work = app.task(
      'work',
      locked((doc: { id: string }) => doc.id.trim()),
      async (_doc: { id: string }) => {},
    );
    expect(await errorOf(work.delay({} as never))).toBeInstanceOf(TypeError);
    expect(messages).toEqual([]);
  });

  it('is computed once for every call, by whoever makes it, with the arguments of the call', async () => {
    const test = testApp();
    const asked: unknown[][] = [];
    const limit = locked((...given: unknown[]) => {
      asked.push(given);
      return 'one';
    });
    const work = test.app.task('work', { limits: [limit], retry: 2 }, async (..._given: unknown[]) => {
      if (currentTask().attempt < 2) throw new Error('not yet');
    });
    const held = await test.app.locks.acquire('one');
    const call = await work.delay('a', { b: 1 });
    await test.drain();
    await held.release();
    await test.advance('1m');
    await call.get();
    expect(asked).toEqual([['a', { b: 1 }]]);
  });

  it('is computed by the worker for a message of somebody who does not know the task', async () => {
    const test = testApp();
    const work = test.app.task(
      'work',
      locked((n: number) => `n:${n}`),
      async (_n: number) => currentTask().permits.map(({ resource }) => resource),
    );
    const fields = {
      id: 'foreign',
      task: work.taskName,
      args: [7],
      retries: 0,
      deferrals: 0,
      priority: 0,
      sentAt: 0,
    };
    await test.app.broker.publish([fields], { queue: 'default' });
    await test.drain();
    expect(await test.app.result('foreign').get()).toEqual(['n:7']);
  });

  it('that cannot be computed by the worker sets the message aside, with the reason', async () => {
    const test = testApp();
    test.app.task(
      'work',
      locked((doc: { id: string }) => doc.id.trim()),
      async (_doc: { id: string }) => {},
    );
    const fields = {
      id: 'foreign',
      task: 'work',
      args: [{}],
      retries: 0,
      deferrals: 0,
      priority: 0,
      sentAt: 0,
    };
    await test.app.broker.publish([fields], { queue: 'default' });
    await test.drain();
    const error = await errorOf(test.app.result('foreign').get());
    expect(error).toMatchObject({ code: 'ASIDE', taskId: 'foreign' });
    expect(error.reason).toMatch(/^its limits could not be worked out: Cannot read properties of undefined/);
    expect(await test.app.broker.aside('default')).toHaveLength(1);
  });
});
