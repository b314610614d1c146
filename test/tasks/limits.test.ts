import { ConfigError, type Limit, limited, locked } from 'lockkeeper';
import { describe, expect, it } from 'vitest';
import { errorOf, gate, sent, settle, testApp } from './kit.js';

describe('a resource', () => {
  it('that nothing declares is a mutex', async () => {
    const test = testApp();
    const runs = gate();
    await test.app.task('work', locked('somewhere'), runs.body).delayMany([[], [], []]);
    await test.drain();
    expect(runs.running).toBe(1);
    expect(await test.app.locks.inspect('somewhere')).toMatchObject({ capacity: 1 });
  });

  it('has the capacity that the limit says, else the declared one', async () => {
    const test = testApp({ resources: { storage: { capacity: 3 } } });
    const [declared, given] = [gate(), gate()];
    await test.app.task('declared', locked('storage'), declared.body).delayMany([[], [], [], [], []]);
    await test.app.task('given', locked('elsewhere', 2), given.body).delayMany([[], [], []]);
    await test.drain();
    expect([declared.running, given.running]).toEqual([3, 2]);
  });

  it('is shared by all tasks that name it', async () => {
    const test = testApp({ resources: { storage: { capacity: 2 } } });
    const runs = gate();
    await test.app.task('a', locked('storage'), runs.body).delayMany([[], []]);
    await test.app
      .task(
        'b',
        locked(() => 'storage'),
        runs.body,
      )
      .delayMany([[], []]);
    await test.drain();
    for (let turn = 0; turn < 4; turn++) {
      runs.open();
      await settle();
    }
    expect(runs.most).toBe(2);
  });

  it('is found by its exact name first, then by the longest pattern', async () => {
    const test = testApp({
      worker: { concurrency: 100 },
      resources: {
        '*': { capacity: 1 },
        'tenant:*': { capacity: 2 },
        'tenant:big:*': { capacity: 3 },
        'tenant:big:acme': { capacity: 4 },
      },
    });
    const runs = new Map<string, ReturnType<typeof gate>>();
    const names = ['other', 'tenant:', 'tenant:a', 'tenant:big:b', 'tenant:big:acme'];
    for (const name of names) runs.set(name, gate());
    const work = test.app.task(
      'work',
      locked((name: string) => name),
      async (name: string) => {
        await runs.get(name)?.body();
      },
    );
    await work.delayMany(names.flatMap((name) => Array.from({ length: 6 }, (): [string] => [name])));
    await test.drain();
    expect(names.map((name) => runs.get(name)?.running)).toEqual([1, 2, 2, 3, 4]);
  });

  it('is another one for every name that a pattern matches', async () => {
    const test = testApp({ resources: { 'tenant:*': { capacity: 1 } } });
    const runs = gate();
    const work = test.app.task(
      'work',
      locked((id: string) => `tenant:${id}`),
      async (_id: string) => await runs.body(),
    );
    await work.delayMany([['a'], ['b'], ['c']]);
    await test.drain();
    expect(runs.running).toBe(3);
  });
});

describe('a weight', () => {
  it('is the permits that a run takes, as a number or by its arguments', async () => {
    const test = testApp({ resources: { storage: { capacity: 4 } } });
    const runs = gate();
    const heavy = test.app.task('heavy', locked('storage', { weight: 3 }), runs.body);
    const sized = test.app.task(
      'sized',
      locked('storage', { weight: (doc: { size: number }) => doc.size }),
      async (_doc: { size: number }) => await runs.body(),
    );
    await heavy.delay();
    await sized.delay({ size: 2 });
    await test.drain();
    expect(runs.running).toBe(1);
    await sized.delay({ size: 1 });
    runs.open();
    await settle();
    expect((await test.app.locks.inspect('storage')).holders.map(({ weight }) => weight)).toEqual([2, 1]);
  });

  it.each([[0], [-1], [1.5], [Number.NaN], ['2'], [undefined], [Number.POSITIVE_INFINITY]])(
    'that is none is an error: %o',
    async (weight) => {
      const { app } = testApp();
      const messages = sent(app);
      const work = app.task('work', locked('storage', 9, { weight: () => weight as never }), async () => {});
      const error = await errorOf(work.delay());
      expect(error).toBeInstanceOf(ConfigError);
      expect(error.message).toContain('Expected `the weight for "storage"` to be a whole number from 1 up');
      expect(messages).toEqual([]);
      if (weight !== undefined)
        expect(() => locked('storage', { weight: weight as never })).toThrow(
          'Expected `locked("storage") weight`',
        );
    },
  );

  it('beyond the capacity is an error, where it is declared or called', async () => {
    const { app } = testApp({ resources: { storage: { capacity: 4 } } });
    const message =
      'A weight of 5 can never be granted of "storage", whose capacity is 4: lower the weight or raise the capacity';
    expect(() => app.task('work', locked('storage', { weight: 5 }), async () => {})).toThrow(
      new ConfigError(message),
    );
    const work = app.task('work', locked('storage', { weight: (n: number) => n }), async (_n: number) => {});
    expect((await errorOf(work.delay(5))).message).toBe(message);
    expect((await errorOf(work(5))).message).toBe(message);
    await work(4);
  });
});

describe('a cost', () => {
  it('is the starts that a run counts for, as a number or by its arguments', async () => {
    const test = testApp({ resources: { sms: { rate: '1/s', burst: 5 } } });
    const at: [string, number][] = [];
    const bulk = test.app.task(
      'bulk',
      limited('sms', { cost: 3 }),
      async () => void at.push(['bulk', test.clock.now()]),
    );
    const send = test.app.task(
      'send',
      limited('sms', { cost: (to: string[]) => to.length }),
      async (_to: string[]) => {
        at.push(['send', test.clock.now()]);
      },
    );
    await bulk.delay();
    await send.delay(['a', 'b']);
    await send.delay(['c']);
    await test.advance('5s');
    expect(at).toEqual([
      ['bulk', 0],
      ['send', 0],
      ['send', 1_000],
    ]);
  });

  it('beyond the burst is an error, where it is declared or called', async () => {
    const { app } = testApp({ resources: { sms: { rate: '1/s', burst: 2 } } });
    const message = 'A start of cost 3 can never come under "sms", whose burst is 2: raise the burst';
    expect(() => app.task('send', limited('sms', { cost: 3 }), async () => {})).toThrow(
      new ConfigError(message),
    );
    const send = app.task('send', limited('sms', { cost: (n: number) => n }), async (_n: number) => {});
    expect((await errorOf(send.delay(3))).message).toBe(message);
    expect((await errorOf(send.delay(0))).message).toContain(
      'Expected `the cost for "sms"` to be a whole number from 1 up, got 0',
    );
  });
});

describe('a limit that does not fit', () => {
  const noop = async () => {};
  const resources = {
    storage: { capacity: 3 },
    sms: { rate: '10/s' },
    'rate:*': { rate: '1/s' },
    'lock:*': {},
  } as const;

  it.each<[string, Limit<[]>, string]>([
    [
      'locked on a rate',
      locked('sms'),
      '"sms" is a rate: use `limited` for it, not `locked`; without a task, `locks.start`',
    ],
    [
      'locked on a rate, by a pattern',
      locked('rate:a'),
      '"rate:a" is a rate: use `limited` for it, not `locked`; without a task, `locks.start`',
    ],
    [
      'locked on a rate, with a capacity',
      locked('sms', 3),
      '"sms" is a rate: use `limited` for it, not `locked`; without a task, `locks.start`',
    ],
  ])('is refused where it is declared: %s', (_, limit, message) => {
    const { app } = testApp({ resources });
    expect(() => app.task('t', limit, noop)).toThrow(new ConfigError(message));
    expect(() => app.task('t', { limits: [locked('ok'), limit] }, noop)).toThrow(new ConfigError(message));
  });

  it.each<[string, Limit<[]>, string]>([
    [
      'limited on a capacity',
      limited('storage', '1/s'),
      '"storage" is a capacity: use `locked` for it, not `limited`; without a task, `locks.acquire`',
    ],
    [
      'limited on a capacity, by a pattern',
      limited('lock:a', '1/s'),
      '"lock:a" is a capacity: use `locked` for it, not `limited`; without a task, `locks.acquire`',
    ],
    [
      'limited with no rate anywhere',
      limited('undeclared'),
      '"undeclared" has no rate: give `limited` one, or declare it in `resources`',
    ],
  ])('is refused where it is declared: %s', (_, limit, message) => {
    const { app } = testApp({ resources });
    expect(() => app.task('t', limit, noop)).toThrow(new ConfigError(message));
  });

  it('is refused at the call when its name comes from a function', async () => {
    const { app } = testApp({ resources });
    const messages = sent(app);
    const lock = app.task(
      'lock',
      locked((name: string) => name),
      async (_name: string) => {},
    );
    const rate = app.task(
      'rate',
      limited((name: string) => name),
      async (_name: string) => {},
    );
    expect((await errorOf(lock.delay('sms'))).message).toContain('"sms" is a rate');
    expect((await errorOf(lock('rate:b'))).message).toContain('"rate:b" is a rate');
    expect((await errorOf(rate.delay('storage'))).message).toContain('"storage" is a capacity');
    expect((await errorOf(rate.delay('undeclared'))).message).toContain('"undeclared" has no rate');
    expect(messages).toEqual([]);
  });

  it('is refused when one task has the same name twice', () => {
    const { app } = testApp({ resources });
    const message = '"storage" limits one task twice: put both into one limit';
    expect(() => app.task('t', { limits: [locked('storage'), locked('storage')] }, noop)).toThrow(
      new ConfigError(message),
    );
    expect(() => app.task('t', locked('storage'), locked('storage')(noop))).toThrow(new ConfigError(message));
  });

  it.each<[string, () => unknown, string]>([
    [
      'a name that is none',
      () => locked(7 as never),
      'Expected `name` to be a text, or a function of the arguments that gives one, got 7',
    ],
    [
      'no name',
      () => limited(undefined as never),
      'Expected `name` to be a text, or a function of the arguments that gives one, got undefined',
    ],
    [
      'a capacity of 0',
      () => locked('x', 0),
      'Expected `locked("x") capacity` to be a whole number from 1 up, got 0',
    ],
    [
      'a capacity that is a text',
      () => locked('x', '3' as never),
      'Expected `locked("x") capacity` to be a whole number from 1 up, got "3"',
    ],
    [
      'an option that it does not know',
      () => locked('x', { capcity: 3 } as never),
      '`locked("x") options` has no option `capcity`. It knows `onBusy`',
    ],
    [
      'an option of rates',
      () => locked('x', { burst: 3 } as never),
      '`locked("x") options` has no option `burst`',
    ],
    [
      'an option of permits',
      () => limited('x', '1/s', { lease: 3 } as never),
      '`limited("x") options` has no option `lease`',
    ],
    [
      'a countdown that is none',
      () => locked('x', { countdown: -5 }),
      'Expected `locked("x") countdown` to be a duration of 0 or more',
    ],
    [
      'an onBusy that is none',
      () => locked('x', { onBusy: 'drop' as never }),
      "Expected `locked(\"x\") onBusy` to be 'requeue' or 'skip' or 'wait' or 'fail', got \"drop\"",
    ],
    [
      'an onLost that is none',
      () => locked('x', { onLost: 'drop' as never }),
      'Expected `locked("x") onLost` to be',
    ],
    [
      'a rate without a time',
      () => limited('x', '100' as never),
      "Expected `limited(\"x\") rate` to be a rate such as '100/m', '50/s' or '10/500ms', got \"100\"",
    ],
    [
      'a rate of nothing',
      () => limited('x', '0/s'),
      'Expected `limited("x") rate` to be a whole number from 1 up, got 0',
    ],
    ['a burst of 0', () => limited('x', '1/s', { burst: 0 }), 'to be a whole number from 1 up, got 0'],
    ['a burst without its rate', () => limited('x', { burst: 3 }), '`limited("x")` has a burst but no rate'],
    [
      'a limit of nothing',
      () => (locked('x') as any)(undefined),
      'Expected `what locked() is put on` to be a function or a method, got undefined',
    ],
    [
      'a limit of a class',
      () => (limited('x', '1/s') as any)(class Job {}),
      'Expected `what limited() is put on` to be a function or a method, got the function Job',
    ],
  ])('is refused where it is made: %s', (_, make, message) => {
    expect(make).toThrow(ConfigError);
    expect(make).toThrow(message);
  });
});
