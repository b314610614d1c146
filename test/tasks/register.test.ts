import { ConfigError, createApp, currentTask, limited, locked, task } from 'lockkeeper';
import { describe, expect, it } from 'vitest';
import { errorOf, settle, testApp } from './kit.js';

class Mailer {
  readonly sent: string[] = [];

  @task()
  async send(to: string) {
    this.sent.push(to);
    return `${currentTask().name} to ${to}`;
  }

  @task('mail.bulk', { queue: 'bulk', priority: 1, retry: { max: 1, delay: 0 } })
  async sendAll(all: string[]) {
    for (const to of all) await this.send(to);
    return currentTask().attempt;
  }

  @task({ ignoreResult: true })
  @locked('mailbox')
  @limited('mails', '10/s')
  async clear() {
    this.sent.length = 0;
  }

  notATask() {
    return 'plain';
  }
}

describe('app.register of an object', () => {
  it('makes tasks of its decorated methods, named `Class.method` unless told otherwise', async () => {
    const test = testApp();
    const mailer = test.app.register(new Mailer());
    expect(Object.keys(mailer)).toEqual(['send', 'sendAll', 'clear']);
    expect([mailer.send.taskName, mailer.sendAll.taskName, mailer.clear.taskName]).toEqual([
      'Mailer.send',
      'mail.bulk',
      'Mailer.clear',
    ]);
    expect(mailer.clear.limits.map(({ key }) => key)).toEqual(['mailbox', 'mails']);
    expect(test.app.queues).toEqual(['default', 'bulk']);
  });

  it('runs them on that very object', async () => {
    const test = testApp();
    const object = new Mailer();
    const mailer = test.app.register(object);
    const ann = await mailer.send.delay('ann');
    await test.drain();
    expect(await ann.get()).toBe('Mailer.send to ann');
    const others = await mailer.sendAll.delay(['bob', 'cyd']);
    await test.drain();
    expect(await others.get()).toBe(1);
    expect(await mailer.send('dan')).toBe('Mailer.send to dan');
    expect(object.sent).toEqual(['ann', 'bob', 'cyd', 'dan']);
  });

  it('tells clearly that a method without @task is no task, when it is used', async () => {
    const { app } = testApp();
    const mailer = app.register(new Mailer());
    const error = await errorOf(() => mailer.notATask);
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.message).toBe('Mailer.notATask is not a task: decorate the method with @task()');
  });

  it('takes inherited methods, under the name of the class of the object', async () => {
    const { app } = testApp();
    class Sms extends Mailer {
      @task()
      async ping() {
        return 'pong';
      }

      override async clear() {
        return await super.clear();
      }
    }
    const sms = app.register(new Sms());
    expect(sms.send.taskName).toBe('Sms.send');
    expect(sms.ping.taskName).toBe('Sms.ping');
    expect(await errorOf(() => sms.clear)).toMatchObject({
      message: 'Sms.clear is not a task: decorate the method with @task()',
    });
  });

  it('takes the method of the most derived class that overrides a task with a task', async () => {
    const test = testApp();
    class Base {
      @task()
      @locked('base')
      async work() {
        return 'base';
      }
    }
    class Derived extends Base {
      @task()
      @locked('derived')
      override async work() {
        return `derived from ${await super.work()}`;
      }
    }
    const derived = test.app.register(new Derived());
    expect(derived.work.limits.map(({ key }) => key)).toEqual(['derived']);
    const call = await derived.work.delay();
    await test.drain();
    expect(await call.get()).toBe('derived from base');
  });

  it('refuses a second object whose tasks would have the same names', () => {
    const { app } = testApp();
    app.register(new Mailer());
    expect(() => app.register(new Mailer())).toThrow('The app has a task "Mailer.send" already');
  });

  it('takes one object for two apps', async () => {
    const [one, other] = [testApp(), testApp()];
    const mailer = new Mailer();
    const handles = [one.app.register(mailer), other.app.register(mailer)] as const;
    const calls = [await handles[0].send.delay('a'), await handles[1].send.delay('b')] as const;
    await one.drain();
    await other.drain();
    expect([await calls[0].get(), await calls[1].get()]).toEqual(['Mailer.send to a', 'Mailer.send to b']);
  });

  it.each<[string, () => unknown, string]>([
    [
      'an object without tasks',
      () =>
        new (class Empty {
          work() {}
        })(),
      'Empty has no method that is a task: decorate one with @task()',
    ],
    [
      'an object without methods',
      () => ({}),
      'Object has no method that is a task: decorate one with @task()',
    ],
    ['an object without a class', () => Object.create(null), 'Object has no method that is a task'],
    [
      'a class',
      () => Mailer,
      'Expected `what to register` to be an object with @task() methods, or a class that extends LockedTask, got the function Mailer',
    ],
    [
      'nothing',
      () => undefined,
      'Expected `what to register` to be an object with @task() methods, or a class that extends LockedTask, got undefined',
    ],
    ['a text', () => 'Mailer', 'got "Mailer"'],
  ])('refuses %s', (_, what, message) => {
    const { app } = testApp();
    expect(() => app.register(what() as never)).toThrow(ConfigError);
    expect(() => app.register(what() as never)).toThrow(message);
  });

  it('checks the limits and options of the methods', () => {
    class Wrong {
      @task({ priority: 11 })
      async work() {}
    }
    class Twice {
      @task()
      @locked('same')
      @limited('same', '1/s')
      async work() {}
    }
    const { app } = testApp();
    expect(() => app.register(new Wrong())).toThrow('Expected `priority` to be a whole number from 0 to 9');
    expect(() => app.register(new Twice())).toThrow('"same" limits one task twice');
  });
});

describe('a direct call of a method', () => {
  it('is held to the limits of the app that its object is registered with', async () => {
    const { app, clock } = testApp({ resources: { mailbox: { capacity: 1 } } });
    const object = new Mailer();
    app.register(object);
    const held = await app.locks.acquire('mailbox');
    let done = false;
    const call = object.clear().then(() => {
      done = true;
    });
    await settle();
    expect(done).toBe(false);
    await held.release();
    await clock.advance(0);
    await call;
  });

  it('is held to those of this process without an app', async () => {
    const object = new Mailer();
    const app = createApp();
    const held = await app.locks.acquire('mailbox');
    const calls: string[] = [];
    const call = object.clear().then(() => calls.push('cleared'));
    await settle();
    expect(calls).toEqual([]);
    await held.release();
    await call;
    await app.close();
  });
});
