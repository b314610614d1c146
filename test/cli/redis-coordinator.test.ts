import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { useRedis } from '../support/servers/index.js';
import { until } from '../support/until.js';
import { answer, cli, startWorker } from './kit.js';

const redis = useRedis();

describe('the command, where limits are kept in Redis', { timeout: 60_000 }, () => {
  const setUp = async (calls: [string, unknown][]) => {
    const env = { LOCKKEEPER_COORDINATOR: `${redis.url}?prefix=${randomUUID()}` };
    const flags = ['--loglevel', 'debug', '--health-port', '0', '--health-host', '127.0.0.1', '--drain', '0'];
    const worker = await startWorker('shared.js', { calls, flags, env });
    const ask = (...args: string[]) => cli(args, 'shared.js', env);
    const value = (...args: string[]) => answer(args, 'shared.js', env);
    return { worker, ask, value };
  };

  it('shows and changes what workers of other processes hold', async () => {
    const { worker, ask, value } = await setUp([
      ['save', 60_000],
      ['save', 60_000],
    ]);
    await until(() => worker.lines.filter(({ event }) => event === 'task.started').length === 2, 15_000);

    const { output } = await ask('locks', 'storage');
    const pid = worker.child.pid;
    expect(output).toMatch(/^storage · 2 at once · 2 held · on redis$/m);
    expect(output).toMatch(new RegExp(`^ {2}held by {2}\\S+:${pid} {2}save \\S+ {2}for .* token \\d+$`, 'm'));

    await ask('locks', 'pause', 'storage', '1m', '--reason', 'an inspection');
    await ask('locks', 'set', 'storage', '7', '--expires', '1h');
    const [storage] = await value('locks', 'storage');
    expect(storage).toMatchObject({
      coordinator: 'redis',
      capacity: 7,
      override: { capacity: 7 },
      paused: { reason: 'an inspection' },
    });

    const { id } = storage.holders[0];
    expect((await ask('locks', 'release', 'storage', id, '--reason', 'stuck')).code).toBe(0);
    await worker.says('permit.lost');
    expect((await value('locks', 'storage'))[0].used).toBe(1);
    worker.kill('SIGTERM');
    expect(await worker.ended).toBe(0);
    expect((await value('locks', 'storage'))[0].used).toBe(0);
  });

  it('says in its banner among whom a limit holds, and where, without secrets', async () => {
    const { worker } = await setUp([]);
    await worker.says('the worker runs');
    const { banner } = worker.lines.find((line) => line.banner) ?? {};
    expect(banner.limits).toContainEqual({
      resource: 'storage',
      limit: '2 at once',
      scope: expect.stringMatching(/^over all workers, on redis:\/\/127\.0\.0\.1:\d+/),
      now: [],
    });
    worker.kill('SIGTERM');
    expect(await worker.ended).toBe(0);
  });

  it('tells that Redis does not answer, by probe and by question, and that it is back', async () => {
    const { worker, ask } = await setUp([]);
    await worker.says('the worker runs');
    const { port } = worker.lines.find(({ msg }) => msg.startsWith('probes')) ?? {};
    const probe = async (path: string) => await fetch(`http://127.0.0.1:${port}${path}`);
    expect((await probe('/health')).status).toBe(200);

    await redis.freeze();
    const health = await probe('/health');
    expect(health.status).toBe(503);
    expect(((await health.json()) as any).problems).toEqual([
      expect.stringMatching(/^The redis coordinator is unavailable/),
    ]);
    expect((await probe('/live')).status).toBe(200);
    const { code, output } = await ask('locks', 'storage');
    expect({ code, output }).toEqual({
      code: 0,
      output: expect.stringMatching(
        /^storage · 2 at once · The redis coordinator is unavailable.* · on redis\n$/,
      ),
    });

    await redis.thaw();
    await until(async () => (await probe('/health')).status === 200, 10_000);
    worker.kill('SIGTERM');
    expect(await worker.ended).toBe(0);
  });
});
