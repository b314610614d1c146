import { limited, locked } from 'lockkeeper';
import { describe, expect, it } from 'vitest';
import { currentTask } from '../../src/tasks/context.js';
import { gate, manualApp, record } from './support.js';

describe('the start of a run', () => {
  it('tells for how long it was put off, and under which limits', async () => {
    const { app, clock, work } = manualApp({ resources: { storage: { capacity: 1 } } });
    const slow = gate();
    const save = app.task('save', { limits: [locked('storage'), limited('sms', '1/s')] }, slow.body);
    const free = app.task('free', () => {});
    const started = record(app, 'task.started');
    await work({ concurrency: 2 });

    await save.delayMany([[], []]);
    await clock.advance('3s');
    await slow.open();
    await clock.advance('1s');
    await slow.open();
    await free.delay();
    await clock.advance('1s');

    expect(started).toMatchObject([
      { task: 'save', waited: 0, resources: ['storage', 'sms'], handedOn: false },
      { task: 'save', waited: 3_000, resources: ['storage', 'sms'] },
      { task: 'free', waited: 0, resources: [] },
    ]);
  });

  it('tells whether its permit was handed on, or came from the line', async () => {
    const { app, work, clock } = manualApp();
    const slow = gate();
    const save = app.task('save', locked('storage'), slow.body);
    const started = record(app, 'task.started');
    await work({ concurrency: 2 });
    await save.delayMany([[], [], []]);
    await clock.advance('100ms');
    await slow.open(1);
    // Older than a chain may be: the permit is given back, and the doorman has the next one.
    await clock.advance('2s');
    await slow.open(1);
    await clock.advance('2s');
    await slow.open();

    expect(started.map(({ handedOn }) => handedOn)).toEqual([false, true, false]);
  });
});

describe('lateness', () => {
  it('is told of a message that was delayed: since the end of its delay', async () => {
    const { app, clock, work } = manualApp();
    const send = app.task('send', () => {});
    const started = record(app, 'task.started');
    await send.applyAsync([], { countdown: '5s' });
    await send.delay();
    await clock.advance('7s');
    await work();
    await clock.advance('1s');

    expect(started.map(({ late }) => late).sort()).toEqual([2_000, undefined]);
  });

  it('is told of attempts, and of what comes back because a run asked for it', async () => {
    const { app, clock, work } = manualApp();
    let runs = 0;
    const send = app.task('send', { retry: { max: 1, delay: '5s', jitter: false } }, () => {
      runs++;
      if (runs === 1) throw new Error('no');
      if (runs === 2) currentTask().defer('3s');
    });
    const started = record(app, 'task.started');
    await work();
    await send.delay();
    await clock.advance('10s');
    expect(started.map(({ late }) => late)).toEqual([undefined, 0, 0]);
  });

  it('is told once, where it was found busy', async () => {
    const { app, clock, work } = manualApp();
    const slow = gate();
    const save = app.task('save', locked('storage'), slow.body);
    const seen = record(app, 'task.started', 'task.deferred');
    await work({ concurrency: 2 });
    await save.delay();
    await save.applyAsync([], { countdown: '1s' });
    await clock.advance('5s');
    await slow.open();
    await clock.advance('1s');
    await slow.open();

    expect(seen.map(({ event, late }) => [event, late])).toEqual([
      ['task.started', undefined],
      ['task.deferred', 0],
      ['task.started', undefined],
    ]);
  });

  it('is told of a booked start', async () => {
    const { app, clock, work } = manualApp();
    const send = app.task('send', limited('sms', '1/s'), () => {});
    const started = record(app, 'task.started');
    await work();
    await send.delayMany([[], []]);
    await clock.advance('2s');
    expect(started).toMatchObject([{ waited: 0 }, { waited: 1_000, late: 0 }]);
  });
});

it('what is delayed because of a resource says which one', async () => {
  const { app, clock, work } = manualApp();
  const send = app.task('send', limited('sms', '1/m'), () => {});
  await work();
  const calls = await send.delayMany([[], []]);
  await clock.advance('1s');
  const found = await app.broker.locate(calls[1]!.id, ['default']);
  expect(found).toMatchObject({
    where: 'delayed',
    message: { refusedBy: 'sms', eta: clock.wall() + 59_000 },
  });
  await clock.advance('2m');
});
