import {
  ClosedError,
  createApp,
  createWorker,
  currentTask,
  locked,
  memoryBroker,
  memoryResults,
} from 'lockkeeper';
import { describe, expect, it, vi } from 'vitest';
import { errorOf, gate, sent, settle, testApp } from './kit.js';

describe('app.close', () => {
  it('sends what was not awaited', async () => {
    const broker = memoryBroker();
    const publish = broker.publish.bind(broker);
    const slow: (() => void)[] = [];
    vi.spyOn(broker, 'publish').mockImplementation(async (messages, options) => {
      await new Promise<void>((resolve) => slow.push(resolve));
      await publish(messages, options);
    });
    const app = createApp({ broker, coordinator: 'memory:' });
    const work = app.task('work', async (_n: number) => {});
    const calls = [work.delay(1), work.delayMany([[2], [3]]), work.applyAsync([4], { priority: 1 })];
    let closed = false;
    const closing = app.close().then(() => {
      closed = true;
    });
    await settle();
    expect(closed).toBe(false);
    for (const resolve of slow) resolve();
    await closing;
    await Promise.all(calls);
    expect((await broker.depth('default')).ready).toBe(4);
    await broker.close();
  });

  it('closes though something on its way fails, which its caller hears', async () => {
    const { app } = testApp();
    vi.spyOn(app.broker, 'publish').mockRejectedValue(new Error('unreachable'));
    const failing = errorOf(app.task('work', async () => {}).delay());
    await app.close();
    expect((await failing).message).toBe('unreachable');
  });

  it('may be called again, and waits for the first', async () => {
    const { app } = testApp();
    const [first, second] = [app.close(), app.close()];
    await Promise.all([first, second]);
    await app.close();
  });

  it('is heard by everything that is called later', async () => {
    const { app } = testApp();
    const work = app.task('work', locked('one'), async () => {});
    const call = await work.delay();
    await app.close();
    for (const later of [
      () => work(),
      () => app.locks.acquire('one'),
      () => work.delay(),
      () => work.delayMany([[]]),
      () => work.delayMany([]),
      () => work.applyAsync([]),
      () => call.get(),
      () => call.state,
      () => call.revoke(),
      () => createWorker(app).start(),
    ]) {
      const error = await errorOf(later);
      expect(error, String(later)).toBeInstanceOf(ClosedError);
      expect(error.code).toBe('CLOSED');
    }
  });

  it('is heard by those who wait in line', async () => {
    const { app } = testApp();
    const work = app.task('work', locked('one'), async () => {});
    await app.locks.acquire('one');
    const waiting = [errorOf(work()), errorOf(app.locks.acquire('one'))];
    await settle();
    await app.close();
    for (const error of await Promise.all(waiting)) expect(error).toBeInstanceOf(ClosedError);
  });

  it('is heard by those who wait for a result', async () => {
    const { app } = testApp();
    const call = await app.task('work', async () => {}).delay();
    const waiting = [errorOf(call.get()), errorOf(call.get({ timeout: '1h' }))];
    await settle();
    await app.close();
    for (const error of await Promise.all(waiting)) expect(error).toBeInstanceOf(ClosedError);
  });

  it('lets what runs end, and gives its results to those who wait', async () => {
    const test = testApp();
    const runs = gate();
    const work = test.app.task('work', async () => {
      await runs.body();
      return 'done';
    });
    const call = await work.delay();
    await test.drain();
    const result = call.get();
    const closing = test.app.close();
    await settle();
    runs.open();
    await closing;
    expect(await result).toBe('done');
  });

  it('lets what runs send, until the last has ended, and nobody else', async () => {
    const test = testApp();
    const messages = sent(test.app);
    const runs = gate();
    const child = test.app.task('child', async () => {});
    const direct = test.app.task('direct', async () => await child.delay());
    const parent = test.app.task('parent', async () => {
      await runs.body();
      await child.delay();
      await direct();
    });
    const call = await parent.delay();
    await test.drain();
    const ended = call.get();
    const closing = test.app.close();
    expect(await errorOf(child.delay())).toBeInstanceOf(ClosedError);
    expect(await errorOf(direct())).toBeInstanceOf(ClosedError);
    await settle();
    runs.open();
    await closing;
    await ended;
    expect(messages.map(({ message }) => message.task)).toEqual(['parent', 'child', 'child']);
  });

  it('gives back what is held', async () => {
    const { app, clock } = testApp();
    const permit = await app.locks.acquire('one');
    await app.close();
    await clock.advance(0);
    expect(permit.held).toBe(false);
  });

  it('leaves open what was handed over, and what is shared by its name', async () => {
    const [broker, results] = [memoryBroker(), memoryResults()];
    for (const options of [
      { broker, results },
      { broker: 'memory:close-test', results: 'memory:close-test' },
    ]) {
      const [one, other] = [
        createApp({ ...options, coordinator: 'memory:' }),
        createApp({ ...options, coordinator: 'memory:' }),
      ];
      const define = (app: typeof one) => app.task('id', async () => currentTask().id);
      const [call] = [await define(one).delay()];
      await one.close();
      define(other);
      await createWorker(other).start();
      expect(await other.result(call.id).get()).toBe(call.id);
      await other.close();
    }
    await broker.close();
    await results.close();
  });
});
