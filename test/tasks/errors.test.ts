import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { errorOf, testApp } from './kit.js';

/** What `get()` rejects with when the task throws this. */
async function arriving(thrown: unknown): Promise<any> {
  const test = testApp();
  const fail = test.app.task('fail', async () => {
    throw thrown;
  });
  const call = await fail.delay();
  await test.drain();
  return await errorOf(call.get());
}

class PaymentError extends Error {
  override readonly name = 'PaymentError';
  readonly code = 'CARD_DECLINED';
}

describe('an error that a task throws', () => {
  it('arrives with its name, message, stack and code', async () => {
    const thrown = new PaymentError('declined');
    const error = await arriving(thrown);
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({
      name: 'PaymentError',
      message: 'declined',
      code: 'CARD_DECLINED',
      stack: thrown.stack,
    });
    expect(`${error}`).toBe('PaymentError: declined');
  });

  it.each([EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError])(
    'is a %o again when it was one',
    async (type) => {
      const error = await arriving(new type('no'));
      expect(error).toBeInstanceOf(type);
      expect(error).toMatchObject({ name: type.name, message: 'no' });
      expect(Object.hasOwn(error, 'name')).toBe(false);
    },
  );

  it('keeps its stack out of what is listed of it', async () => {
    expect(Object.keys(await arriving(new Error('no')))).toEqual([]);
  });

  it('arrives without a code that is no text', async () => {
    expect(await arriving(Object.assign(new Error('no'), { code: 404 }))).not.toHaveProperty('code');
  });

  it('arrives though it was made in another realm, as test runners have them', async () => {
    const error = await arriving(runInNewContext('new TypeError("elsewhere")'));
    expect(error).toBeInstanceOf(TypeError);
    expect(error.message).toBe('elsewhere');
  });

  it.each(['constructor', '__proto__', 'toString', ''])('may have any name: %o', async (name) => {
    const error = await arriving(Object.defineProperty(new Error('odd'), 'name', { value: name }));
    expect(error).toBeInstanceOf(Error);
    expect(error.message).toBe('odd');
    expect(error.name).toBe(name);
  });

  it.each<[unknown, string]>([
    ['a text', '"a text"'],
    [undefined, 'undefined'],
    [null, 'null'],
    [7, '7'],
    [{ reason: 'secret' }, 'an object (Object)'],
    [['secret'], 'an array'],
  ])('need not be an Error, and is described then: %o', async (thrown, shown) => {
    const error = await arriving(thrown);
    expect(error).toBeInstanceOf(Error);
    expect(error.message).toBe(`A value that is not an Error was thrown: ${shown}`);
  });

  it('is handed to listeners as it is', async () => {
    const test = testApp();
    const thrown = new PaymentError('declined');
    const heard: unknown[] = [];
    test.app.on('task.failed', ({ error }) => heard.push(error));
    const fail = test.app.task('fail', () => {
      throw thrown;
    });
    await fail.delay();
    await test.drain();
    expect(heard).toEqual([thrown]);
    expect(heard[0]).toBe(thrown);
  });
});
