import { describe, expect, it } from 'vitest';
import { cli, module, startWorker } from './kit.js';

describe('lockkeeper worker', { timeout: 60_000 }, () => {
  it('introduces itself, and tells what its tasks come to', async () => {
    const worker = await startWorker('working.js', {
      calls: [
        ['save', 10],
        ['send', 'nobody'],
      ],
      flags: ['-c', '3', '-q', 'default', '-q', 'mail', '--logformat', 'text'],
    });
    await worker.says('save is done');
    await worker.says('send has failed');
    worker.kill('SIGTERM');

    expect(await worker.ended, worker.errors).toBe(0);
    const { output } = worker;
    expect(output).toMatch(/^ {2}broker +memory:$/m);
    expect(output).toMatch(/^ {2}queues +default, mail$/m);
    expect(output).toMatch(/^ {2}slots +3$/m);
    expect(output).toMatch(/^ {2}save +queue default +storage$/m);
    expect(output).toMatch(/^ {2}build +queue default +a resource by its arguments$/m);
    expect(output).toMatch(/^ {2}storage +2 at once +within this process$/m);
    expect(output).toMatch(/^ {2}tenant:\* +3 at once for each name +within this process$/m);
    expect(output).toMatch(
      /^\d\d:\d\d:\d\d\.\d{3} INFO {2}save is done in \d+ ms {2}id=\S+ {2}queue=default$/m,
    );
    expect(output).toMatch(/ERROR send has failed .*\n {4}TypeError: there is nobody\n {8}at /);
    expect(output).toMatch(/INFO {2}the worker has stopped\n$/);
    expect(worker.errors).toBe('');
  });

  it('logs a JSON object a line, as much as its level says', async () => {
    const worker = await startWorker('working.js', { calls: [['save', 10]], flags: ['--loglevel', 'debug'] });
    await worker.says('task.done');
    worker.kill('SIGINT');
    expect(await worker.ended).toBe(0);

    const byEvent = (event: string) => worker.lines.find((line) => line.event === event);
    expect(worker.lines.find(({ banner }) => banner)?.banner).toMatchObject({
      broker: 'memory:',
      queues: ['default', 'mail'],
      slots: 10,
      tasks: expect.arrayContaining([{ task: 'save', queue: 'default', limits: ['storage'] }]),
      limits: expect.arrayContaining([
        { resource: 'sms', limit: '100/m, burst 10', scope: 'within this process', now: [] },
      ]),
    });
    expect(byEvent('task.started')).toMatchObject({ level: 'debug', task: 'save', resources: ['storage'] });
    expect(byEvent('task.done')).toMatchObject({ level: 'info', task: 'save', took: expect.any(Number) });

    const quiet = await startWorker('working.js', {
      calls: [['send', 'nobody']],
      flags: ['--loglevel', 'error'],
    });
    await quiet.says('task.failed');
    quiet.kill('SIGTERM');
    await quiet.ended;
    expect(quiet.lines.map(({ event }) => event)).toEqual(['task.failed']);
  });

  it('lets what runs end at SIGTERM, and stops at once at the second', async () => {
    const calls: [string, unknown][] = [['save', 60_000]];
    const worker = await startWorker('working.js', { calls, flags: ['--loglevel', 'debug'] });
    await worker.says('task.started');
    worker.kill('SIGTERM');
    await worker.says('the worker stops: what runs may end');
    // What comes together is one: npm hands on the Ctrl-C that the terminal sent already.
    worker.kill('SIGTERM');
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect(worker.output).not.toContain('stops at once: what runs is put back');
    worker.kill('SIGINT');

    expect(await worker.ended).toBe(0);
    expect(worker.output).toContain('the worker stops at once: what runs is put back');
    expect(worker.output).toContain('LOST save shutdown');
  });

  it('puts back what does not end within the drain time', async () => {
    const calls: [string, unknown][] = [['save', 60_000]];
    const worker = await startWorker('working.js', {
      calls,
      flags: ['--drain', '100ms', '--loglevel', 'debug'],
    });
    await worker.says('task.started');
    worker.kill('SIGTERM');
    expect(await worker.ended).toBe(0);
    expect(worker.output).toContain('LOST save shutdown');
  });

  it('answers probes', async () => {
    const worker = await startWorker('working.js', {
      flags: ['--health-port', '0', '--health-host', '127.0.0.1'],
    });
    await worker.says('the worker runs');
    const { port } = worker.lines.find(({ msg }) => msg.startsWith('probes are answered')) ?? {};
    const response = await fetch(`http://127.0.0.1:${port}/health`);
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ ok: true, slots: 10 });
    expect((await fetch(`http://127.0.0.1:${port}/live`)).status).toBe(200);
    worker.kill('SIGTERM');
    expect(await worker.ended).toBe(0);

    const taken = await cli([
      'worker',
      await module('working.js'),
      '--health-port',
      '1',
      '--health-host',
      '192.0.2.1',
    ]);
    expect(taken.code).toBe(1);
    expect(taken.errors).toContain('EADDRNOTAVAIL');
  });

  it('stops at an error that nobody caught, puts back what runs, and fails', async () => {
    const worker = await startWorker('uncaught.js');
    expect(await worker.ended).toBe(1);
    expect(worker.lines.find(({ level }) => level === 'fatal')).toMatchObject({
      err: { message: 'nobody catches this' },
    });
    expect(worker.output).toContain('LOST save shutdown');
  });

  it('stops when nobody reads its log any more, and does not turn in circles', async () => {
    const worker = await startWorker('working.js', {
      calls: [['save', 300]],
      flags: ['--loglevel', 'debug'],
    });
    await worker.says('task.started');
    worker.child.stdout?.destroy();
    expect(await worker.ended).toBe(1);
    expect(worker.errors).toBe('');
  });

  it('runs on when its module has left something open, and ends when it is told to', async () => {
    const worker = await startWorker('open-ended.js');
    await worker.says('the worker runs');
    worker.kill('SIGTERM');
    expect(await worker.ended).toBe(0);
  });

  it('refuses an app without tasks, which would set every message apart', async () => {
    const { code, errors } = await cli(['worker', await module('idle.js')]);
    expect(code).toBe(1);
    expect(errors).toContain('The app has no tasks');
  });

  it('stops cleanly when it is told to before it has started', async () => {
    const worker = await startWorker('away.js', { flags: ['--health-port', '0'] });
    await worker.says('probes are answered');
    const { port } = worker.lines.find(({ msg }) => msg.startsWith('probes are answered')) ?? {};
    expect((await fetch(`http://127.0.0.1:${port}/health`)).status).toBe(503);
    worker.kill('SIGTERM');
    expect(await worker.ended).toBe(0);
    expect(worker.output).not.toContain('the worker runs');
    expect(worker.errors).toBe('');
  });
});
