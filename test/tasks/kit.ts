import type { App } from 'lockkeeper';
import { createTestApp, type TestApp, type TestAppOptions } from 'lockkeeper/testing';
import { onTestFinished, vi } from 'vitest';
import type { PublishOptions } from '../../src/brokers/broker.js';
import type { Message } from '../../src/message.js';
import { settle } from '../../src/testing/manual-clock.js';

export { settle };

/** A test app that ends with its test, which fails for what its worker met that was not a task's error. */
export function testApp(options?: TestAppOptions): TestApp {
  const test = createTestApp(options);
  const errors: unknown[] = [];
  test.app.on('worker.error', ({ error }) => errors.push(error));
  onTestFinished(async () => {
    let open = true;
    const closed = test.close().finally(() => {
      open = false;
    });
    // Bodies that a test left running are cut off: the drain and the grace pass.
    while (open) await test.clock.advance('1s');
    await closed;
    if (errors.length > 0) throw errors[0];
  });
  return test;
}

/** What the app sends from now on. */
export function sent(app: App): { readonly message: Message; readonly options: PublishOptions }[] {
  const all: { message: Message; options: PublishOptions }[] = [];
  const publish = app.broker.publish.bind(app.broker);
  vi.spyOn(app.broker, 'publish').mockImplementation(async (messages, options) => {
    for (const message of messages) all.push({ message, options });
    await publish(messages, options);
  });
  return all;
}

export { errorOf } from '../support/error-of.js';

/** Whether it has not settled, though all went on that can go on without time passing. */
export async function pending(promise: Promise<unknown>): Promise<boolean> {
  let waits = true;
  const settled = () => {
    waits = false;
  };
  promise.then(settled, settled);
  await settle();
  return waits;
}

/** A body that ends when it is told to, and knows how many of it run. */
export function gate() {
  const waiting: (() => void)[] = [];
  const state = {
    running: 0,
    most: 0,
    async body(): Promise<void> {
      state.running++;
      state.most = Math.max(state.most, state.running);
      await new Promise<void>((resolve) => waiting.push(resolve));
      state.running--;
    },
    /** Lets every body end that has begun. */
    open(): void {
      for (const resolve of waiting.splice(0)) resolve();
    },
  };
  return state;
}
