import { describe, expect, it } from 'vitest';
import {
  BusyError,
  ClosedError,
  ConfigError,
  CoordinatorUnavailableError,
  LockTimeoutError,
} from '../../src/errors.js';
import { scope } from '../../src/locks/scope.js';
import { errorOf, fate, type SideOptions, settled, setUp } from './kit.js';

const resources = { sms: { rate: '2/s', burst: 1 }, bulk: { rate: '10/s', burst: 5 } } as const;

function limited(options: SideOptions = {}) {
  const { clock, service, side } = setUp();
  const alice = side({ resources, ...options });
  const times: number[] = [];
  const start = (options?: Parameters<typeof alice.locks.start>[1]) =>
    alice.locks.start('sms', options).then(() => times.push(clock.now()));
  return { clock, service, alice, side: () => side({ resources }), times, start, locks: alice.locks };
}

describe('start', () => {
  it('comes at once while the rate allows, and at the next free time when it does not', async () => {
    const { clock, times, start } = limited();
    const all = [start(), start(), start()];
    await clock.advance(2_000);
    await Promise.all(all);
    expect(times).toEqual([0, 500, 1_000]);
  });

  it('comes in the order in which it was asked for, over two processes', async () => {
    const { clock, times, start, side } = limited();
    const bob = side();
    const order: string[] = [];
    const all = [
      start(),
      bob.locks.start('sms').then(() => order.push('bob')),
      start().then(() => order.push('alice')),
    ];
    await clock.advance(2_000);
    await Promise.all(all);
    expect(order).toEqual(['bob', 'alice']);
    expect(times).toEqual([0, 1_000]);
  });

  it('counts its cost', async () => {
    const { clock, locks } = limited();
    await locks.start('bulk', { cost: 5 });
    const next = locks.start('bulk', { cost: 3 });
    await clock.advance(299);
    expect(await settled(next)).toBe(false);
    await clock.advance(1);
    await next;
  });

  it('that lies beyond `waitTimeout` is refused at once, and charges nothing', async () => {
    const { service, start } = limited();
    await start();
    for (let i = 0; i < 1_000; i++) {
      const error = await errorOf(start({ waitTimeout: 200 }));
      expect(error).toBeInstanceOf(LockTimeoutError);
      expect(error).toMatchObject({ resource: 'sms', waited: 200 });
    }
    expect((await service.inspect('sms', { timeout: 1 })).rate).toEqual({ nextStart: 500, booked: 0 });
  });

  it('may lie right at the end of `waitTimeout`', async () => {
    const { clock, times, start } = limited();
    const all = [start(), start({ waitTimeout: 500 })];
    await clock.advance(500);
    await Promise.all(all);
    expect(times).toEqual([0, 500]);
  });

  it('is BusyError where nobody waits', async () => {
    const { locks, start } = limited();
    await start();
    expect(await errorOf(start({ waitTimeout: 0 }))).toBeInstanceOf(BusyError);
    expect(await errorOf(start({ waitTimeout: 0 }))).toMatchObject({ retryAfter: 500 });
    const inRun = scope.run({ permits: [], inRun: true }, () => errorOf(locks.start('sms')));
    expect(await inRun).toBeInstanceOf(BusyError);
  });

  it('that is called off gives its booking back', async () => {
    const { clock, service, times, start } = limited();
    await start();
    const enough = new AbortController();
    const error = errorOf(start({ signal: enough.signal }));
    await clock.advance(100);
    expect((await service.inspect('sms', { timeout: 1 })).rate).toMatchObject({ booked: 1 });
    enough.abort(new Error('enough'));
    expect(await error).toMatchObject({ message: 'enough' });
    await clock.advance(0);
    expect((await service.inspect('sms', { timeout: 1 })).rate).toMatchObject({ booked: 0 });

    const next = start();
    await clock.advance(400);
    await next;
    expect(times).toEqual([0, 500]);
  });

  it('that is called off before it began, or while it is asked for, charges nothing', async () => {
    const { clock, service, alice, start } = limited();
    expect(await errorOf(start({ signal: AbortSignal.abort(new Error('enough')) }))).toMatchObject({
      message: 'enough',
    });
    expect(alice.coordinator.count('book')).toBe(0);

    alice.coordinator.next('book', fate.slowReply(300));
    const enough = new AbortController();
    const error = errorOf(start({ signal: enough.signal }));
    await clock.advance(100);
    enough.abort(new Error('enough'));
    expect(await error).toMatchObject({ message: 'enough' });
    await clock.advance(200);
    expect((await service.inspect('sms', { timeout: 1 })).rate?.nextStart ?? 0).toBe(0);
  });

  it('is waited for while the coordinator is away, and told apart when it does not come back', async () => {
    const { clock, times, alice, start } = limited();
    alice.coordinator.always(fate.down);
    const patient = start({ waitTimeout: '20s' });
    const impatient = errorOf(start({ waitTimeout: '5s' }));
    const inRun = errorOf(start({ waitTimeout: 0 }));
    await clock.advance('5s');
    expect(await inRun).toBeInstanceOf(CoordinatorUnavailableError);
    expect(await impatient).toBeInstanceOf(CoordinatorUnavailableError);
    await clock.advance('5s');
    alice.coordinator.heal();
    await clock.advance('2s');
    await patient;
    expect(times).toHaveLength(1);
  });

  it('whose reply is lost is not charged twice', async () => {
    const { clock, times, alice, start } = limited();
    alice.coordinator.next('book', fate.replyLost());
    const all = [start()];
    await clock.advance(200);
    all.push(start());
    await clock.advance('3s');
    await Promise.all(all);
    expect(times.length).toBe(2);
    expect(times[1]! - times[0]!).toBeLessThanOrEqual(1_000);
  });

  it('does not wait for ever for a call that does not end', async () => {
    const { clock, alice, start } = limited();
    alice.coordinator.always(fate.hangs, 'book');
    const error = errorOf(start({ waitTimeout: '3s' }));
    await clock.advance('6s');
    expect(await error).toBeInstanceOf(CoordinatorUnavailableError);
  });

  it('rejects with ClosedError when the locks are closed, and leaves no timer', async () => {
    const { clock, locks, start } = limited();
    await start();
    const waiting = errorOf(start());
    await clock.advance(1);
    await locks.close();
    expect(await waiting).toBeInstanceOf(ClosedError);
    expect(await errorOf(start())).toBeInstanceOf(ClosedError);
    expect(clock.next).toBeUndefined();
  });

  it('waits for the end of a pause', async () => {
    const { clock, times, locks, start } = limited();
    await locks.pause('sms', '10s');
    const first = start();
    await clock.advance('11s');
    await first;
    expect(times).toEqual([10_000]);
  });

  it.each([
    ['storage', {}, /"storage" has no rate/],
    ['sms', { cost: 2 }, /cost 2.*"sms".*burst is 1/],
    ['bulk', { cost: 0 }, /cost`.*got 0/],
    ['sms', { weight: 2 }, /no option `weight`/],
    ['sms', { waitTimeout: 'ages' }, /`waitTimeout`.*got "ages"/],
  ])('rejects %s with %j', async (name, options, message) => {
    const { locks } = limited();
    const error = await errorOf(locks.start(name, options as never));
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.message).toMatch(message);
  });

  it('of a capacity, and a permit of a rate, are configuration errors', async () => {
    const { side } = setUp();
    const { locks } = side({ resources: { storage: { capacity: 3 }, sms: { rate: '2/s' } } });
    expect((await errorOf(locks.start('storage'))).message).toMatch(/"storage" is a capacity: use `locked`/);
    expect((await errorOf(locks.acquire('sms'))).message).toMatch(/"sms" is a rate: use `limited`/);
    expect((await errorOf(locks.tryAcquire('sms'))).message).toMatch(/"sms" is a rate/);
  });
});
