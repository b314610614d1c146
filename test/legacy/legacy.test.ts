import { ConfigError, createApp, locked, task } from 'lockkeeper';
import { describe, expect, it } from 'vitest';
import { decoratorSuite } from '../decorators/suite.js';
import { errorOf } from '../tasks/kit.js';

decoratorSuite('legacy');

describe('a legacy decorator', () => {
  it('limits static methods too', async () => {
    class Vault {
      @locked('legacy-vault', { onBusy: 'fail' })
      static async shared() {
        return Vault.name.length > 0;
      }

      other() {}
    }
    const app = createApp();
    expect(await Vault.shared()).toBe(true);
    const held = await app.locks.acquire('legacy-vault');
    expect(await errorOf(Vault.shared())).toMatchObject({ code: 'BUSY' });
    await held.release();
    await app.close();
  });

  it.each<[string, () => unknown, string]>([
    [
      '@locked on a property',
      () => {
        class Job {
          // @ts-expect-error a property is no method
          @locked('x')
          field = 1;
        }
        return Job;
      },
      'locked() goes on methods, and "field" is none',
    ],
    [
      '@task on a property',
      () => {
        class Job {
          // @ts-expect-error a property is no method
          @task()
          field = 1;
        }
        return Job;
      },
      'task() goes on methods, and "field" is none',
    ],
    [
      '@task on an accessor',
      () => {
        class Job {
          // @ts-expect-error an accessor is no method
          @task()
          get value() {
            return 1;
          }
        }
        return Job;
      },
      'task() goes on methods, and "value" is none',
    ],
    [
      '@locked on an accessor',
      () => {
        class Job {
          // @ts-expect-error an accessor is no method
          @locked('x')
          get value() {
            return 1;
          }
        }
        return Job;
      },
      'locked() goes on methods, and "value" is none',
    ],
    [
      '@locked on a class',
      () => {
        // @ts-expect-error a class is no method
        @locked('x')
        class Job {}
        return Job;
      },
      'Expected `what locked() is put on` to be a function or a method, got the function Job',
    ],
    [
      '@task on a class',
      () => {
        // @ts-expect-error a class is no method
        @task()
        class Job {}
        return Job;
      },
      'task() goes on methods, and "Job" is none',
    ],
    [
      '@locked on a parameter',
      // What a compiler makes of `work(@locked('x') id: string)`.
      () => (locked('x') as any)({}, 'work', 0),
      'locked() goes on methods, and "work" is none',
    ],
    [
      '@task on a static method',
      () => {
        class Job {
          @task()
          static async work() {}

          other() {}
        }
        return Job;
      },
      'task() goes on public methods of objects, and "work" is static',
    ],
    [
      '@task on a method that is named by a symbol',
      () => {
        class Job {
          // @ts-expect-error its task would have no name
          @task()
          async [Symbol.iterator]() {}
        }
        return Job;
      },
      'task() goes on public methods of objects, and "Symbol(Symbol.iterator)" is named by a symbol',
    ],
    [
      '@task without its parentheses',
      () => {
        class Job {
          // @ts-expect-error it is called to make a decorator
          @task
          async work() {}
        }
        return Job;
      },
      'task() makes a decorator: write `@task()`, not `@task`',
    ],
    [
      '@locked without its name',
      () => {
        class Job {
          // @ts-expect-error it is called with a name
          @locked
          async work() {}
        }
        return Job;
      },
      "locked() makes a decorator: write `@locked('a name')`, not `@locked`",
    ],
  ])('is refused: %s', (_, make, message) => {
    expect(make).toThrow(ConfigError);
    expect(make).toThrow(message);
  });
});
