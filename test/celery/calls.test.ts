import { currentTask, locked } from 'lockkeeper';
import { describe, expect, it } from 'vitest';
import { RedisResults } from '../../src/results/redis.js';
import { rpcResults } from '../../src/results/rpc.js';
import { untilDepth } from '../conformance/broker/kit.js';
import { useShared } from '../support/servers/index.js';
import { until } from '../support/until.js';
import { type Sites, useStages } from './kit.js';

const rabbitmq = useShared('rabbitmq');
const redis = useShared('redis');

const sites: Record<string, Sites> = {
  'rpc://': { rabbitmq, backend: () => 'rpc://', results: () => rpcResults(rabbitmq.url) },
  Redis: { rabbitmq, backend: () => redis.url, results: () => new RedisResults(redis.url) },
};

describe.each(Object.entries(sites))(
  'a Celery client, with results over %s',
  { timeout: 120_000 },
  (_, where) => {
    const stage = useStages(where);

    it('calls our tasks, by places and by names, and gets what they return', async () => {
      const here = stage();
      const app = here.app();
      app.task('add', { parameters: ['a', 'b'] }, async (a: number, b?: number) => [a, b ?? 10]);
      app.task('nothing', async () => {});
      await here.worker(app);
      const client = await here.client();

      expect(await client.call('add', [1, 2])).toEqual({ value: [1, 2] });
      expect(await client.call('add', [1], { b: 5 })).toEqual({ value: [1, 5] });
      expect(await client.call('add', [], { a: 1 })).toEqual({ value: [1, 10] });
      expect(await client.call('nothing')).toEqual({ value: null });
      expect(await client.call('nothing', [], { c: 3 })).toEqual({
        raised: 'builtins.TypeError',
        args: [expect.stringContaining("nothing() got an unexpected keyword argument 'c'")],
      });
    });

    it('has raised what they throw, as its type', async () => {
      const here = stage();
      const app = here.app();
      app.task('fail', async (name: string) => {
        if (name === 'TypeError') throw new TypeError('of JavaScript, too');
        throw Object.assign(new Error('as it says'), { name });
      });
      await here.worker(app);
      const client = await here.client();

      const raised = async (name: string) => await client.call('fail', [name]);
      expect(await raised('TypeError')).toEqual({
        raised: 'builtins.TypeError',
        args: ['of JavaScript, too'],
      });
      expect(await raised('ValueError')).toEqual({ raised: 'builtins.ValueError', args: ['as it says'] });
      expect(await raised('PaymentError')).toEqual({
        raised: 'celery.exceptions.PaymentError',
        args: ['as it says'],
      });
    });

    it('has a call tried again, put off and delayed, and is told only of its end', async () => {
      const here = stage();
      const app = here.app();
      const attempts: number[] = [];
      const retry = { max: 5, delay: 50 };
      app.task('third-time', { retry, limits: [locked('third-time')] }, async (trace: string) => {
        const { attempt, deferrals } = currentTask();
        attempts.push(attempt);
        if (attempt < 3) throw new Error('not yet');
        if (deferrals < 2) currentTask().defer(100);
        return `${trace} in attempt ${attempt}`;
      });
      await here.worker(app);
      const client = await here.client();

      expect(await client.call('third-time', ['done'])).toEqual({ value: 'done in attempt 3' });
      expect(attempts).toEqual([1, 2, 3, 3, 3]);
    });

    it('has a call start when it says, and not before, held by nobody', async () => {
      const here = stage();
      const app = here.app();
      const startedAt: number[] = [];
      app.task('note', async () => void startedAt.push(Date.now()));
      await here.worker(app, 1);
      const client = await here.client();
      for (let i = 0; i < 3; i++) await client.send('note', [], {}, { countdown: 600 });
      await untilDepth(app.broker, here.queue, { delayed: 3 });

      const sentAt = Date.now();
      expect(await client.call('note', [], {}, { countdown: 1 })).toEqual({ value: null });
      expect(startedAt).toHaveLength(1);
      expect(startedAt[0]! - sentAt).toBeGreaterThanOrEqual(990);
    });

    it('has a call that comes too late end as revoked, never run', async () => {
      const here = stage();
      const app = here.app();
      let runs = 0;
      app.task('late', async () => void runs++);
      await here.worker(app);
      const client = await here.client();

      expect(await client.call('late', [], {}, { countdown: 3.5, expires: 3 })).toEqual({
        raised: 'celery.exceptions.TaskRevokedError',
        args: ['expired'],
      });
      expect(runs).toBe(0);
    });

    it('has a call told to stop after the time that it allows', async () => {
      const here = stage();
      const app = here.app({ abortGrace: 0 });
      app.task('endless', async () => {
        const { signal } = currentTask();
        await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
        if ((signal.reason as Error).name === 'SoftTimeLimitError') throw signal.reason;
      });
      await here.worker(app);
      const client = await here.client();

      const limit = async (options: object) => await client.call('endless', [], {}, options);
      expect(await limit({ time_limit: 0.3 })).toMatchObject({
        raised: 'billiard.exceptions.TimeLimitExceeded',
      });
      expect(await limit({ soft_time_limit: 0.3, time_limit: 9 })).toMatchObject({
        raised: 'billiard.exceptions.SoftTimeLimitExceeded',
      });
    });

    it('is told nothing of a call whose result it wants ignored', async () => {
      const here = stage();
      const app = here.app();
      let runs = 0;
      app.task('work', async () => ++runs);
      await here.worker(app);
      const client = await here.client();
      const ignored = await client.send('work', [], {}, { ignore_result: true });
      await until(() => runs === 1);

      expect(await client.call('work')).toEqual({ value: 2 });
      expect(await client.state(ignored)).toBe('PENDING');
    });
  },
);

describe.each(Object.entries(sites))(
  'calls of tasks of Celery, with results over %s',
  { timeout: 120_000 },
  (_, where) => {
    const stage = useStages(where);

    it('give what they return and throw what they raise, by its name', async () => {
      const here = stage();
      const app = here.app();
      const worker = await here.celeryWorker();
      const add = app.remote<[a: number, b?: number], number>('py.add');
      const fail = app.remote<unknown[], never>('py.fail');

      const calls = await add.delayMany([[1, 2], [3]]);
      expect(await Promise.all(calls.map((call) => call.get({ timeout: '15s' })))).toEqual([3, 3]);
      const named = await add.applyAsync([], { kwargs: { b: 1, a: 2 } });
      expect(await named.get({ timeout: '15s' })).toBe(3);
      const failing = await fail.delay('bad', 3);
      await expect(failing.get({ timeout: '15s' })).rejects.toMatchObject({
        name: 'ValueError',
        message: 'bad, 3',
        stack: expect.stringContaining('Traceback (most recent call last)'),
      });
      const lost = await app.remote('py.unknown').delay();
      await expect(lost.get({ timeout: '15s' })).rejects.toMatchObject({ name: 'NotRegistered' });
      await until(() => worker.runs.length >= 3);
      expect(worker.runs.map(({ ran }) => ran)).toEqual(['py.add', 'py.add', 'py.add']);
    });

    it('arrive with all that they said', async () => {
      const here = stage();
      const app = here.app();
      await here.celeryWorker();
      const request = app.remote('py.request');
      const expires = new Date(Date.now() + 600_000);

      const call = await request.applyAsync(['a'], {
        kwargs: { b: [1, null] },
        timeLimit: { soft: '1.5s', hard: '2s' },
        expires,
      });

      expect(await call.get({ timeout: '15s' })).toEqual({
        args: ['a'],
        kwargs: { b: [1, null] },
        timelimit: [2, 1.5],
        expires: expires.toISOString().replace('Z', '+00:00'),
        eta: null,
        priority: 0,
        root_id: call.id,
        ignore_result: false,
        trace: null,
        retries: 0,
      });
    });

    it('are tried again there, start when they say, and are over when they expire', async () => {
      const here = stage();
      const app = here.app();
      const worker = await here.celeryWorker();
      const again = await app.remote<[number], number>('py.retry').delay(2);
      expect(await again.get({ timeout: '15s' })).toBe(2);

      await app.remote('py.add').applyAsync([1], { countdown: '10m' });
      await untilDepth(app.broker, here.queue, { delayed: 1 });
      const sentAt = Date.now();
      const later = await app.remote('py.add').applyAsync([1], { countdown: '1s' });
      expect(await later.get({ timeout: '15s' })).toBe(1);
      expect(Date.now() - sentAt).toBeGreaterThanOrEqual(1_000);

      const late = await app.remote('py.add').applyAsync([1], { countdown: 800, expires: 400 });
      await expect(late.get({ timeout: '15s' })).rejects.toMatchObject({ code: 'REVOKED' });
      await until(() => worker.runs.length >= 4);
      expect(worker.runs.map(({ retries }) => retries)).toEqual([0, 1, 2, 0]);
    });

    it('leave no result where it is to be ignored', async () => {
      const here = stage();
      const app = here.app();
      const worker = await here.celeryWorker();
      const add = app.remote<[number], number>('py.add');
      const ignored = await add.applyAsync([1], { ignoreResult: true });
      expect(await (await add.delay(2)).get({ timeout: '15s' })).toBe(2);
      await until(() => worker.runs.length >= 2);
      expect(worker.runs).toHaveLength(2);
      expect(await ignored.state).toBe('pending');
    });
  },
);
