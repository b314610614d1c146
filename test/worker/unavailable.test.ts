import { locked, memoryCoordinator } from 'lockkeeper';
import { ManualClock } from 'lockkeeper/testing';
import { describe, expect, it } from 'vitest';
import { fate, ScriptedCoordinator } from '../support/scripted-coordinator.js';
import { until } from '../support/until.js';
import { gate, manualApp, record } from './support.js';

function scripted(options: Parameters<typeof locked>[1] & object = {}) {
  const clock = new ManualClock();
  const coordinator = new ScriptedCoordinator(memoryCoordinator({ clock }), clock);
  const made = manualApp({ coordinator }, clock);
  const runs = gate();
  const save = made.app.task('save', locked('one', options), () => runs.body());
  return { ...made, coordinator, runs, save };
}

describe('a coordinator that does not answer', () => {
  it('puts tasks off without failing them, is asked once for all, and they run when it is back', async () => {
    const { app, work, clock, settle, coordinator, runs, save } = scripted();
    const told = record(app, 'coordinator.unavailable', 'coordinator.available', 'task.failed');
    coordinator.always(fate.timesOut(2_000), 'enter');
    await work({ concurrency: 5 });
    await save.delayMany(Array.from({ length: 100 }, () => [] as []));
    for (let i = 0; i < 30; i++) await clock.advance('1s');
    expect(runs.started).toBe(0);
    expect(await app.broker.depth('default')).toMatchObject({ parked: 100 });
    expect(coordinator.log.filter(({ step }) => step === 'enter').length).toBeLessThan(40);

    coordinator.always(fate.ordinary, 'enter');
    await clock.advance('4s');
    expect(runs.running).toBe(1);
    while (runs.started < 100) await runs.open(1);
    await runs.open();
    await settle();
    expect(runs.most).toBe(1);
    expect(told.map(({ event }) => event)).toEqual(['coordinator.unavailable', 'coordinator.available']);
  });

  it('does not stop tasks that say to run without it', async () => {
    const { work, clock, settle, coordinator, runs, save } = scripted({ onUnavailable: 'run' });
    coordinator.always(fate.down, 'enter');
    await work({ concurrency: 5 });
    await save.delayMany([[], []]);
    await clock.advance('1s');
    expect(runs.running).toBe(2);
    await runs.open();
    await settle();
  });

  it('fails tasks that say so', async () => {
    const { work, clock, coordinator, save } = scripted({ onUnavailable: 'fail' });
    coordinator.always(fate.down, 'enter');
    await work();
    const call = await save.delay();
    await clock.advance('1s');
    await expect(call.get()).rejects.toMatchObject({ code: 'COORDINATOR_UNAVAILABLE' });
  });

  it('for less than a lease leaves a run its permit', async () => {
    const { app, work, clock, settle, coordinator, runs, save } = scripted();
    const lost = record(app, 'permit.lost');
    await work();
    const call = await save.delay();
    await settle();
    coordinator.always(fate.down, 'renew');
    await clock.advance('13s');
    coordinator.always(fate.ordinary, 'renew');
    await clock.advance('60s');
    await runs.open();
    expect(await call.state).toBe('done');
    expect(lost).toEqual([]);
  });

  it('loses replies: no permit is left behind, and nobody gets in twice', async () => {
    const { app, work, clock, settle, coordinator, runs, save } = scripted();
    coordinator.next('enter', fate.replyLost(), fate.replyLost(), fate.replyLost());
    coordinator.next('exit', fate.replyLost(), fate.replyLost());
    await work({ concurrency: 3 });
    const calls = await save.delayMany(Array.from({ length: 10 }, () => [] as []));
    for (let i = 0; i < 60 && runs.started < 10; i++) {
      await clock.advance('1s');
      await runs.open(1);
    }
    await runs.open();
    await settle();
    expect(runs.most).toBe(1);
    await until(async () =>
      (await Promise.all(calls.map((call) => call.state))).every((state) => state === 'done'),
    );
    await clock.advance('15s');
    const { holders, waiting } = await app.locks.inspect('one');
    expect([holders, waiting]).toEqual([[], []]);
  });
});
