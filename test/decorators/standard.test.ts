import { ConfigError, createApp, locked, task } from 'lockkeeper';
import { describe, expect, it } from 'vitest';
import { errorOf, testApp } from '../tasks/kit.js';
import { decoratorSuite } from './suite.js';

decoratorSuite('standard');

describe('a standard decorator', () => {
  it('limits static and private methods too', async () => {
    class Vault {
      @locked('vault-of-all', { onBusy: 'fail' })
      static async shared() {
        return Vault.name.length > 0;
      }

      @locked('vault', { onBusy: 'fail' })
      async #open(code: number) {
        return code;
      }

      async open() {
        return await this.#open(7);
      }
    }
    const app = createApp();
    expect([await Vault.shared(), await new Vault().open()]).toEqual([true, 7]);
    for (const [name, call] of [
      ['vault-of-all', () => Vault.shared()],
      ['vault', () => new Vault().open()],
    ] as const) {
      const held = await app.locks.acquire(name);
      expect(await errorOf(call())).toMatchObject({ code: 'BUSY', resource: name });
      await held.release();
    }
    await app.close();
  });

  it('limits a private method to the app of its object', async () => {
    class Vault {
      @locked('vault', { onBusy: 'fail' })
      async #open() {
        return 'open';
      }

      @task()
      async open() {
        return await this.#open();
      }
    }
    const { app } = testApp();
    const vault = new Vault();
    app.register(vault);
    const held = await app.locks.acquire('vault');
    expect(await errorOf(vault.open())).toMatchObject({ code: 'BUSY' });
    await held.release();
    expect(await vault.open()).toBe('open');
  });

  it.each<[string, () => unknown, string]>([
    [
      '@locked on a field',
      () =>
        class {
          // @ts-expect-error a field is no method
          @locked('x')
          field = 1;
        },
      'locked() goes on methods, and "field" is a field',
    ],
    [
      '@locked on a field that holds a function',
      () =>
        class {
          // @ts-expect-error a field is no method
          @locked('x')
          field = async () => {};
        },
      'locked() goes on methods, and "field" is a field',
    ],
    [
      '@task on an accessor',
      () =>
        class {
          // @ts-expect-error an accessor is no method
          @task()
          accessor field = 1;
        },
      'task() goes on methods, and "field" is an accessor',
    ],
    [
      '@task on a getter',
      () =>
        class {
          // @ts-expect-error a getter is no method
          @task()
          get value() {
            return 1;
          }
        },
      'task() goes on methods, and "value" is a getter',
    ],
    [
      '@locked on a class',
      () => {
        // @ts-expect-error a class is no method
        @locked('x')
        class Job {}
        return Job;
      },
      'locked() goes on methods, and "Job" is a class',
    ],
    [
      '@task on a class',
      () => {
        // @ts-expect-error a class is no method
        @task()
        class Job {}
        return Job;
      },
      'task() goes on methods, and "Job" is a class',
    ],
    [
      '@task on a static method',
      () =>
        class {
          // @ts-expect-error register would not find it
          @task()
          static async work() {}

          other() {}
        },
      'task() goes on public methods of objects, and "work" is static',
    ],
    [
      '@task on a private method',
      () =>
        class {
          // @ts-expect-error register would not find it
          @task()
          async #work() {}

          work() {
            return this.#work();
          }
        },
      'task() goes on public methods of objects, and "#work" is private',
    ],
    [
      '@task on a method that is named by a symbol',
      () =>
        class {
          // @ts-expect-error its task would have no name
          @task()
          async [Symbol.iterator]() {}
        },
      'task() goes on public methods of objects, and "Symbol(Symbol.iterator)" is named by a symbol',
    ],
    [
      '@task without its parentheses',
      () =>
        class {
          // @ts-expect-error it is called to make a decorator
          @task
          async work() {}
        },
      'task() makes a decorator: write `@task()`, not `@task`',
    ],
    [
      '@locked without its name',
      () =>
        class {
          // @ts-expect-error it is called with a name
          @locked
          async work() {}
        },
      "locked() makes a decorator: write `@locked('a name')`, not `@locked`",
    ],
  ])('is refused: %s', (_, make, message) => {
    expect(make).toThrow(ConfigError);
    expect(make).toThrow(message);
  });
});
