import { currentTask, locked, memoryCoordinator } from 'lockkeeper';
import { ManualClock } from 'lockkeeper/testing';
import { expect, it } from 'vitest';
import { settle } from '../../src/testing/manual-clock.js';
import { Places } from '../../src/worker/places.js';
import { setUp } from '../locks/kit.js';
import { fate, ScriptedCoordinator } from '../support/scripted-coordinator.js';
import { manualApp } from './support.js';

it('a body does not start under a lease that lapsed since it was granted', async () => {
  const clock = new ManualClock();
  const service = memoryCoordinator({ clock });
  const coordinator = new ScriptedCoordinator(service, clock);
  const { app, work } = manualApp({ coordinator, resources: { r: { capacity: 5, lease: '2s' } } }, clock);
  let n = 0;
  const held: boolean[] = [];
  const u = app.task('u', locked('r'), () => {
    held.push(currentTask().permits[0]!.held);
    if (++n === 2) clock.jump('5s'); // synchronous work of five seconds
  });
  await work({ concurrency: 4 });
  await u.delayMany([[], [], []] as never);
  await settle();
  await clock.advance('10s');
  expect(held.every(Boolean)).toBe(true);
});

it('places do not set a timer again and again between two milliseconds', async () => {
  const clock = new ManualClock();
  let bad = 0;
  for (let i = 0; i < 100; i++) {
    await new Promise<void>((resolve) => {
      clock.after(Math.random() * 5, resolve);
      void clock.advance('5ms');
      setTimeout(resolve, 0);
    });
    let spun: unknown;
    // at a moment between two milliseconds, as all that is jittered has them
    clock.after(Math.random() * 3, () => {
      const places = new Places(clock, new AbortController().signal, 1);
      void (async () => {
        const one = await places.get(() => {});
        one.signal.addEventListener('abort', () => one.leave());
        one.stands();
        const two = await places.get(() => {});
        two.leave();
      })();
    });
    await clock.advance('1010ms').catch((e) => {
      spun = e;
    });
    if (spun) {
      bad++;
      break;
    }
  }
  expect(bad).toBe(0);
}, 60_000);

it('an exit that is repeated does not take away the permit that was granted under the same claim since', async () => {
  const { clock, side } = setUp();
  const a = side({ resources: { r: { capacity: 2 } } });
  const b = side({ resources: { r: { capacity: 2 } } });
  const holder = await b.locks.acquire('r', { weight: 2, maxHold: false });
  // X waits a little and makes the line; C's try is on its way meanwhile; A comes to the line at once.
  a.coordinator.next('enter', fate.ordinary, fate.slowReply(500));
  const _x = a.locks.acquire('r', { weight: 2, waitTimeout: '100ms' }).catch((e) => e);
  const c = a.locks.acquire('r', { weight: 2, waitTimeout: '1m' });
  await settle();
  const first = a.locks.acquire('r', { weight: 1, waitTimeout: '1m' });
  await clock.advance('200ms'); // X has given up: A is first in line
  // C's try is refused now: it stands first, and A's claim is given back, which fails once
  a.coordinator.next('exit', fate.replyLost());
  await clock.advance('320ms');
  await holder.release();
  await settle();
  const pc = await c;
  await pc.release();
  await settle();
  const pa = await first;
  await clock.advance('1s');
  const other = await b.locks.tryAcquire('r', { weight: 2 });
  const both = pa.held && other?.held;
  await pa.release();
  await other?.release();
  expect(both).toBeFalsy();
});

it.each([20, 100, 150, 190, 220, 400])(
  'a saturated worker gets on though its coordinator takes %i ms',
  async (ms) => {
    const clock = new ManualClock();
    const service = memoryCoordinator({ clock });
    const coordinator = new ScriptedCoordinator(service, clock);
    coordinator.always(fate.slowReply(ms), 'enter');
    const { app, work } = manualApp({ coordinator }, clock);
    let runs = 0;
    const t = app.task('t', locked('r'), async () => void runs++);
    let publishing = true;
    const publish = async () => {
      if (!publishing) return;
      const { ready } = await app.broker.depth('default');
      if (ready < 20) await t.delayMany(Array.from({ length: 20 }, () => []) as never);
      clock.after(100, () => void publish());
    };
    await publish();
    await work({ concurrency: 2 });
    await clock.advance('60s');
    const then = runs;
    publishing = false;
    await clock.advance('60s');
    expect(then).toBeGreaterThan(60);
  },
);
