import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { useRedis } from '../support/servers/index.js';
import { until } from '../support/until.js';
import { answer, cli, type Running, startWorker } from './kit.js';

const redis = useRedis();

describe('the command, on a Redis that several processes share', { timeout: 60_000 }, () => {
  const setUp = () => {
    const env = { LOCKKEEPER_BROKER: `${redis.url}?prefix=${randomUUID()}` };
    const flags = ['--loglevel', 'debug', '--health-port', '0', '--health-host', '127.0.0.1', '--drain', '0'];
    return {
      work: (calls: unknown[][] = []) => startWorker('shared.js', { calls, flags, env }),
      ask: (...args: string[]) => cli(args, 'shared.js', env),
      value: (...args: string[]) => answer(args, 'shared.js', env),
      /** Sends calls from a process that is gone then. */
      send: (...calls: unknown[][]) =>
        cli(['queues'], 'shared.js', { ...env, LOCKKEEPER_TEST_CALLS: JSON.stringify(calls) }),
    };
  };

  const stop = async (worker: Running) => {
    worker.kill('SIGTERM');
    expect(await worker.ended, worker.errors).toBe(0);
  };

  const startedBy = (worker: Running) => worker.lines.filter(({ event }) => event === 'task.started');

  it('follows a call from queue to room to hand to result, from process to process', async () => {
    const { work, ask, value, send } = setUp();
    const sent = await send(
      ['save', 60_000, 'a'],
      ['save', 60_000, 'b'],
      ['save', 10, 'c'],
      ['send', 1, 'd'],
    );
    expect(sent.errors).toBe('');
    expect(sent.output).toMatch(/^default +3 +0 +0 +0 +0$/m);
    expect(await value('why', 'c', '--watch', '0')).toMatchObject({
      state: 'queued',
      queue: 'default',
      ahead: 2,
    });

    const worker = await work();
    await until(() => startedBy(worker).length === 3, 15_000);
    await until(async () => (await value('why', 'c', '--watch', '0')).state === 'deferred', 15_000);
    const { output } = await ask('why', 'c', '--watch', '50ms');
    const pid = worker.child.pid;
    expect(output).toMatch(/^save c \(queue default\) is deferred: storage was busy$/m);
    expect(output).toMatch(/^ {2}next in its room$/m);
    expect(output).toMatch(/^storage · 2 at once · 2 held · on redis$/m);
    expect(output).toMatch(new RegExp(`^ {2}held by {2}\\S+:${pid} {2}save [ab] {2}for `, 'm'));
    expect(output).toMatch(/^ {2}parked {2}1 message {2}queue default /m);
    expect((await ask('queues')).output).toMatch(/^default +0 +0 +1 +2 +0$/m);
    expect(await value('why', 'd')).toMatchObject({
      state: 'ended',
      stored: { state: 'done', value: 'sent' },
    });

    const { id } = (await value('why', 'a')).resources[0].holders.find((one: any) => one.message === 'a');
    expect((await ask('locks', 'release', 'storage', id, '--reason', 'stuck')).code).toBe(0);
    await worker.says('permit.lost');
    // It is put back where it was in publish order, and so starts again before the one behind it.
    await until(() => startedBy(worker).filter((line) => line.id === 'a').length === 2, 15_000);
    expect((await ask('locks', 'set', 'storage', '3')).code).toBe(0);
    await until(async () => (await value('why', 'c')).state === 'ended', 15_000);
    await stop(worker);
    expect((await value('locks', 'storage'))[0].used).toBe(0);
  });

  it('changes a resource for workers of other processes', async () => {
    const { work, ask, value } = setUp();
    const worker = await work([1, 2, 3, 4].map((n) => ['save', 60_000, `call-${n}`]));
    await until(() => startedBy(worker).length === 2, 15_000);
    await until(async () => (await value('locks', 'storage'))[0].rooms[0]?.parked === 2, 15_000);
    expect((await ask('locks', 'pause', 'storage', '1m', '--reason', 'an inspection')).code).toBe(0);
    expect((await ask('locks', 'set', 'storage', '3', '--expires', '1h')).code).toBe(0);
    const [storage] = await value('locks', 'storage');
    expect(storage).toMatchObject({
      coordinator: 'redis',
      capacity: 3,
      override: { capacity: 3 },
      paused: { reason: 'an inspection' },
      used: 2,
      rooms: [{ queue: 'default', parked: 2 }],
    });

    await ask('locks', 'resume', 'storage');
    await until(() => startedBy(worker).length === 3, 15_000);
    await stop(worker);
  });

  it('puts back what was set aside, and its caller waits for the new run', async () => {
    const { work, value, ask, send } = setUp();
    await send(['unknown', 1, 'lost']);
    const first = await work();
    await first.says('task.aside');
    await until(async () => (await value('aside')).length === 1, 15_000);
    const [aside] = await value('aside');
    expect(aside).toMatchObject({ message: { id: 'lost', task: 'unknown' }, queue: 'default' });
    expect(await value('why', 'lost')).toMatchObject({ state: 'apart', asideId: aside.id });
    await stop(first);

    expect((await ask('aside', 'retry', 'lost')).code).toBe(0);

    expect(await value('why', 'lost', '--watch', '0')).toMatchObject({
      state: 'queued',
      stored: { state: 'deferred' },
    });
    expect((await ask('aside', 'retry', 'lost')).code).toBe(1);
  });

  it('introduces its worker with servers, and among whom limits hold, without secrets', async () => {
    const { work } = setUp();
    const worker = await work();
    await worker.says('the worker runs');
    const { banner } = worker.lines.find((line) => line.banner) ?? {};
    expect(banner.broker).toMatch(/^redis:\/\/127\.0\.0\.1:\d+/);
    expect(banner.limits).toContainEqual({
      resource: 'storage',
      limit: '2 at once',
      scope: expect.stringMatching(/^over all workers, on redis:\/\/127\.0\.0\.1:\d+/),
      now: [],
    });
    await stop(worker);
  });

  it('tells by probe and by question that Redis does not answer, and that it is back', async () => {
    const { work, ask } = setUp();
    const worker = await work();
    await worker.says('the worker runs');
    const { port } = worker.lines.find(({ msg }) => msg.startsWith('probes')) ?? {};
    const probe = async (path: string) => await fetch(`http://127.0.0.1:${port}${path}`);
    expect((await probe('/health')).status).toBe(200);

    await redis.freeze();
    const health = await probe('/health');
    expect(health.status).toBe(503);
    const { problems } = (await health.json()) as { problems: string[] };
    expect(problems).toContainEqual(expect.stringMatching(/^The redis coordinator is unavailable/));
    expect((await probe('/live')).status).toBe(200);
    const { code, errors } = await ask('queues');
    expect(code).toBe(1);
    expect(errors).toMatch(/^lockkeeper: The redis broker is unavailable/);

    await redis.thaw();
    await until(async () => (await probe('/health')).status === 200, 15_000);
    await stop(worker);
  });
});
