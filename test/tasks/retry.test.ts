import { currentTask, type RetryOptions } from 'lockkeeper';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { nextAttempt, retryPolicy } from '../../src/tasks/retry.js';
import { errorOf, pending, testApp } from './kit.js';

class TimeoutError extends Error {}
class GatewayTimeoutError extends TimeoutError {}

/** When a task that always fails is started, within an hour. */
async function starts(
  retry: number | RetryOptions | false | undefined,
  error: () => unknown = () => new Error('no'),
) {
  const test = testApp();
  const at: number[] = [];
  const fail = test.app.task('fail', { retry }, async () => {
    at.push(test.clock.now());
    throw error();
  });
  const call = await fail.delay();
  await test.advance('1h');
  expect(await call.state).toBe('failed');
  return at;
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe('a task that fails', () => {
  it.each<[number | RetryOptions | false | undefined]>([[undefined], [false], [0], [{ max: 0 }]])(
    'has one attempt when its retries are %o',
    async (retry) => {
      expect(await starts(retry)).toEqual([0]);
    },
  );

  it('has as many more as a number says, each pause twice as long as the last, from 1 s', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(0);
    expect(await starts(4)).toEqual([0, 1_000, 3_000, 7_000, 15_000]);
  });

  it('has three more when its policy does not say', async () => {
    expect(await starts({ jitter: false })).toEqual([0, 1_000, 3_000, 7_000]);
  });

  it('may have pauses of one length', async () => {
    expect(await starts({ max: 3, delay: '5s', backoff: 'fixed', jitter: false })).toEqual([
      0, 5_000, 10_000, 15_000,
    ]);
  });

  it('has no pause longer than `maxDelay`', async () => {
    expect(await starts({ max: 4, delay: '1s', maxDelay: '3s', jitter: false })).toEqual([
      0, 1_000, 3_000, 6_000, 9_000,
    ]);
  });

  it('tells the attempt which it is, and its caller nothing before the last', async () => {
    const test = testApp();
    const attempts: number[] = [];
    const fail = test.app.task('fail', { retry: { max: 1, delay: '1s', jitter: false } }, async () => {
      attempts.push(currentTask().attempt);
      throw new Error(`attempt ${currentTask().attempt}`);
    });
    const call = await fail.delay();
    const failing = errorOf(call.get());
    await test.drain();
    expect(await pending(failing)).toBe(true);
    expect(await call.details()).toMatchObject({ state: 'retrying', error: { message: 'attempt 1' } });
    await test.advance('1s');
    expect((await failing).message).toBe('attempt 2');
    expect(attempts).toEqual([1, 2]);
  });

  it('is done when a later attempt succeeds', async () => {
    const test = testApp();
    const work = test.app.task('work', { retry: 3 }, async () => {
      if (currentTask().attempt < 3) throw new Error('not yet');
      return 'done';
    });
    const call = await work.delay();
    await test.advance('10s');
    expect(await call.get()).toBe('done');
    expect(test.runs(call)).toBe(3);
  });
});

describe('jitter', () => {
  it('shortens a pause by up to half, and never lengthens it', () => {
    const policy = retryPolicy({ max: 9, delay: 1_000 }, 'retry');
    const random = vi.spyOn(Math, 'random');
    const pauseAt = (value: number) => {
      random.mockReturnValue(value);
      return nextAttempt(policy, 2, new Error());
    };
    expect(pauseAt(0)).toBe(4_000);
    expect(pauseAt(0.5)).toBe(3_000);
    expect(pauseAt(0.999_999)).toBeCloseTo(2_000, 1);
    random.mockRestore();
    const pauses = Array.from({ length: 200 }, () => nextAttempt(policy, 0, new Error())!);
    expect(Math.min(...pauses)).toBeGreaterThan(500);
    expect(Math.max(...pauses)).toBeLessThanOrEqual(1_000);
    expect(new Set(pauses).size).toBeGreaterThan(100);
  });
});

describe('a pause', () => {
  it('is a time, however many attempts there were', () => {
    const policy = retryPolicy({ max: 5_000, delay: 0, jitter: false }, 'retry');
    expect(nextAttempt(policy, 4_000, new Error())).toBe(0);
    const long = retryPolicy({ max: 5_000, jitter: false }, 'retry');
    expect(nextAttempt(long, 4_000, new Error())).toBe(600_000);
  });
});

describe('retryOn', () => {
  const policy = { max: 1, delay: 0 } as const;

  it('lists the errors that are worth another attempt, with what extends them', async () => {
    const retryOn = [TypeError, TimeoutError];
    expect(await starts({ ...policy, retryOn }, () => new TypeError())).toHaveLength(2);
    expect(await starts({ ...policy, retryOn }, () => new GatewayTimeoutError())).toHaveLength(2);
    expect(await starts({ ...policy, retryOn }, () => new RangeError())).toHaveLength(1);
    expect(await starts({ ...policy, retryOn }, () => 'a text')).toHaveLength(1);
    expect(await starts({ ...policy, retryOn: [] }, () => new Error())).toHaveLength(1);
    expect(await starts({ ...policy, retryOn: [Error] }, () => new RangeError())).toHaveLength(2);
  });

  it('may be a function, which sees what was thrown as it was', async () => {
    const seen: unknown[] = [];
    const retryOn = (error: unknown) => {
      seen.push(error);
      return error === 'again';
    };
    expect(await starts({ ...policy, retryOn }, () => 'again')).toHaveLength(2);
    expect(await starts({ ...policy, retryOn }, () => 'enough')).toHaveLength(1);
    expect(seen).toEqual(['again', 'enough']);
  });

  it('that throws itself is a no, and the caller sees what the task threw', async () => {
    const test = testApp();
    const retryOn = (error: any) => error.response.status >= 500;
    const fail = test.app.task('fail', { retry: { ...policy, retryOn } }, async () => {
      throw new Error('no response');
    });
    const call = await fail.delay();
    await test.advance('1m');
    expect((await errorOf(call.get())).message).toBe('no response');
    expect(test.runs(call)).toBe(1);
  });
});
