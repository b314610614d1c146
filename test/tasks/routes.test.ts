import { describe, expect, it } from 'vitest';
import { createApp } from '../../src/index.js';
import { errorOf, sent, testApp } from './kit.js';

const none = async () => {};

describe('a route', () => {
  const routed = () =>
    testApp({
      queue: 'rest',
      routes: { 'mail.*': 'mail', 'mail.urgent.*': 'now', 'mail.digest': 'nightly', 'Reports.*': 'reports' },
    });

  it('gives a task its queue by its name, or by the longest pattern of it', () => {
    const { app } = routed();
    const queueOf = (name: string) => app.tasks.get(name)?.settings.queue;
    for (const name of ['mail.send', 'mail.urgent.send', 'mail.digest', 'mailer', 'clean'])
      app.task(name, none);
    expect(['mail.send', 'mail.urgent.send', 'mail.digest', 'mailer', 'clean'].map(queueOf)).toEqual([
      'mail',
      'now',
      'nightly',
      'rest',
      'rest',
    ]);
  });

  it('counts more than the queue of the task, and less than that of the call', async () => {
    const { app } = routed();
    const messages = sent(app);
    const retry = app.task('mail.retry', { queue: 'own' }, none);
    const other = app.task('other', { queue: 'own' }, none);
    await retry.delay();
    await other.delay();
    await retry.applyAsync([], { queue: 'called' });
    expect(messages.map(({ options }) => options.queue)).toEqual(['mail', 'own', 'called']);
  });

  it('leads to the workers of the app, which serve the queues of its tasks', async () => {
    const test = routed();
    const send = test.app.task('mail.send', async (to: string) => `sent to ${to}`);
    expect(test.app.queues).toEqual(['rest', 'mail']);
    const call = await send.delay('ann');
    await test.drain();
    expect(await call.get()).toBe('sent to ann');
  });

  it.each([
    [{ 'a*b': 'q' }, /`routes\["a\*b"\]`: a `\*` may only stand at the end/],
    [{ a: '' }, /`routes\["a"\]` to be a text that is not empty, got ""/],
    [{ a: 7 }, /`routes\["a"\]`.*got 7/],
    [['a'], /`routes` to be an object/],
  ])('that is none is refused: %j', async (routes, message) => {
    expect((await errorOf(() => createApp({ routes: routes as never }))).message).toMatch(message);
  });
});
