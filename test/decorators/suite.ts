import { BusyError, ConfigError, createApp, currentTask, limited, locked, task } from 'lockkeeper';
import { describe, expect, it } from 'vitest';
import { errorOf, gate, settle, testApp } from '../tasks/kit.js';

/** What holds of both kinds of decorators. This file is compiled with the one and with the other. */
export function decoratorSuite(kind: 'standard' | 'legacy'): void {
  describe(`${kind} decorators`, () => {
    it('are what this is compiled with', () => {
      let given = 0;
      const count: any = (...args: unknown[]) => {
        given = args.length;
      };
      class Counted {
        @count
        method() {}
      }
      expect([given, new Counted().method()]).toEqual([kind === 'standard' ? 2 : 3, undefined]);
    });

    it('may stand in any order', async () => {
      const test = testApp();
      const handles = test.app.register(new Orders());
      const names = ['tla', 'tal', 'lta', 'lat', 'atl', 'alt'] as const;
      for (const name of names) {
        expect(handles[name].limits.map(({ kind: of, key }) => `${of} ${key}`).sort()).toEqual([
          'permits lock',
          'rate starts',
        ]);
        expect(handles[name].taskName).toBe(`order.${name}`);
      }
      const calls = await Promise.all(names.map((name) => handles[name].delay(name)));
      await test.advance('10s');
      expect(await Promise.all(calls.map((call) => call.get()))).toEqual(
        names.map((name) => `${name} under lock`),
      );
    });

    it('leave a method its name, its length, and its place in the class', () => {
      expect(Orders.prototype.tla.name).toBe('tla');
      expect(Orders.prototype.tla.length).toBe(1);
      expect(Object.getOwnPropertyDescriptor(Orders.prototype, 'tla')).toMatchObject({
        enumerable: false,
        writable: true,
        configurable: true,
      });
      expect(Object.keys(new Orders())).toEqual([]);
    });

    it('leave a method its object, with its private state', async () => {
      const test = testApp();
      const account = new Account('acme');
      const handle = test.app.register(account);
      const call = await handle.deposit.delay(5);
      await test.drain();
      expect(await call.get()).toBe('acme: 5');
      expect(await handle.deposit(2)).toBe('acme: 7');
      expect(await account.deposit(1)).toBe('acme: 8');
      expect(await new Account('other').deposit(1)).toBe('other: 1');
    });

    it('hold direct calls to the limits of the app that the object is registered with', async () => {
      const { app } = testApp({ resources: { 'account:*': { capacity: 2 } } });
      const account = new Account('acme');
      app.register(account);
      const runs = [account.hold('1'), account.hold('1'), account.hold('1'), account.hold('2')];
      await settle();
      expect(account.runs.running).toBe(3);
      account.runs.open();
      await settle();
      account.runs.open();
      await Promise.all(runs);
      expect(await app.locks.tryAcquire('account:1', { weight: 2 })).toBeDefined();
    });

    it('hold direct calls to the limits of this process without an app', async () => {
      const account = new Account('acme');
      const app = createApp();
      const held = await app.locks.acquire('account:process');
      expect(await errorOf(account.tryHold('process'))).toBeInstanceOf(BusyError);
      await held.release();
      expect(await account.tryHold('process')).toBe('held');
      await app.close();
    });

    it('hold workers to the limits, by the arguments of the call', async () => {
      const test = testApp({ resources: { 'account:*': { capacity: 2 } } });
      const account = new Account('acme');
      const { hold } = test.app.register(account);
      const calls = await hold.delayMany([['1'], ['1'], ['1'], ['2']]);
      await test.drain();
      expect(account.runs.running).toBe(3);
      expect(test.putOffs(calls[2]!)).toMatchObject([{ resource: 'account:1', reason: 'busy' }]);
      account.runs.open();
      await settle();
      expect(account.runs.running).toBe(1);
    });

    it('enter a limit again at no cost when one method calls another', async () => {
      const test = testApp();
      const { twice } = test.app.register(new Nested());
      const call = await twice.delay();
      await test.drain();
      expect(await call.get({ timeout: 1 })).toBe('once and again');
    });

    it('without @task make no task, but limit the method', async () => {
      const { app } = testApp();
      const nested = new Nested();
      const handles = app.register(nested);
      expect(await errorOf(() => handles.limitedOnly)).toMatchObject({
        message: 'Nested.limitedOnly is not a task: decorate the method with @task()',
      });
      const held = await app.locks.acquire('nested');
      expect(await errorOf(nested.limitedOnly())).toBeInstanceOf(BusyError);
      await held.release();
    });

    it('take a method that is not asynchronous, where only @task stands on it', async () => {
      const test = testApp();
      const { sync } = test.app.register(new Nested());
      const call = await sync.delay(4);
      await test.drain();
      expect(await call.get()).toBe(8);
    });

    it('give a task its name and options', async () => {
      const test = testApp();
      const { flaky } = test.app.register(new Nested());
      expect(flaky.taskName).toBe('flaky-one');
      expect(test.app.queues).toContain('flaky');
      const call = await flaky.delay();
      await test.advance('1s');
      expect(await call.get()).toBe(2);
    });

    it('are inherited, and an override without them has none', async () => {
      const { app } = testApp();
      const savings = new Savings('acme');
      const handles = app.register(savings);
      expect(handles.hold.taskName).toBe('Savings.hold');
      expect(handles.hold.limits).toHaveLength(1);
      expect(() => handles.deposit).toThrow('Savings.deposit is not a task');
      expect(await savings.deposit(1)).toBe('saved acme: 1');
    });

    it('keep two objects of one class apart', async () => {
      const [one, other] = [testApp(), testApp()];
      const [a, b] = [new Account('a'), new Account('b')];
      one.app.register(a);
      other.app.register(b);
      const held = await one.app.locks.acquire('account:1');
      expect(await errorOf(a.tryHold('1'))).toBeInstanceOf(BusyError);
      expect(await b.tryHold('1')).toBe('held');
      await held.release();
    });

    it.each<[string, () => unknown, string]>([
      [
        'a name that is none',
        () => task(7 as never),
        'Expected `the options of task()` to be an object, got 7',
      ],
      ['an empty name', () => task(''), 'Expected `name` to be a text that is not empty, got ""'],
      [
        'an option that it does not know',
        () => task({ prio: 1 } as never),
        '`the options of task()` has no option `prio`',
      ],
      [
        'an option that it does not know, after a name',
        () => task('t', { prio: 1 } as never),
        '`the options of task()` has no option `prio`',
      ],
    ])('refuse @task with %s', (_, make, message) => {
      expect(make).toThrow(ConfigError);
      expect(make).toThrow(message);
    });
  });
}

class Orders {
  @task('order.tla') @locked('lock') @limited('starts', '1/s', { burst: 9 }) async tla(n: string) {
    return underLock(n);
  }
  @task('order.tal') @limited('starts', '1/s', { burst: 9 }) @locked('lock') async tal(n: string) {
    return underLock(n);
  }
  @locked('lock') @task('order.lta') @limited('starts', '1/s', { burst: 9 }) async lta(n: string) {
    return underLock(n);
  }
  @locked('lock') @limited('starts', '1/s', { burst: 9 }) @task('order.lat') async lat(n: string) {
    return underLock(n);
  }
  @limited('starts', '1/s', { burst: 9 }) @task('order.atl') @locked('lock') async atl(n: string) {
    return underLock(n);
  }
  @limited('starts', '1/s', { burst: 9 }) @locked('lock') @task('order.alt') async alt(n: string) {
    return underLock(n);
  }
}

function underLock(name: string): string {
  return `${name} under ${currentTask().permits.map(({ resource }) => resource)}`;
}

class Account {
  readonly runs = gate();
  readonly #owner: string;
  #balance = 0;

  constructor(owner: string) {
    this.#owner = owner;
  }

  @task()
  @locked('ledger')
  async deposit(cents: number) {
    this.#balance += cents;
    return `${this.#owner}: ${this.#balance}`;
  }

  @task()
  @locked((id: string) => `account:${id}`)
  async hold(_id: string) {
    await this.runs.body();
  }

  @locked((id: string) => `account:${id}`, { onBusy: 'skip' })
  async tryHold(_id: string, _note?: string) {
    return 'held';
  }
}

class Savings extends Account {
  override async deposit(cents: number) {
    return `saved ${await super.deposit(cents)}`;
  }
}

class Nested {
  @task()
  @locked('nested')
  async twice() {
    return `${await this.once()} and again`;
  }

  @task()
  @locked('nested')
  async once() {
    return 'once';
  }

  @locked('nested', { onBusy: 'fail' })
  async limitedOnly(): Promise<void> {}

  @task()
  sync(n: number) {
    return n * 2;
  }

  @task('flaky-one', { queue: 'flaky', retry: { max: 1, delay: 0 } })
  async flaky() {
    const { attempt } = currentTask();
    if (attempt === 1) throw new Error('not yet');
    return attempt;
  }
}
