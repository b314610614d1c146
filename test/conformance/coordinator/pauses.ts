import { expect, it } from 'vitest';
import {
  ask,
  busy,
  enters,
  exit,
  granted,
  hold,
  type Kit,
  newId,
  queued,
  renew,
  soon,
  where,
} from './kit.js';

export function pauseSuite(kit: Kit): void {
  const { features, lease } = kit;

  it('grants nothing while it lasts', async () => {
    const [alice, bob] = await kit.parties();
    const resource = kit.name();
    await alice.pause(resource, 30_000, soon);

    for (const party of [alice, bob]) {
      const { retryAfter } = busy(await party.enter(ask(resource, newId())));
      expect(retryAfter).toBeGreaterThan(0);
      expect(retryAfter).toBeLessThanOrEqual(30_000 * 1.25);
    }
    await alice.pause(resource, 0, soon);
  });

  where(features.fair)('lets claims stand in line, and keeps their order', async () => {
    const [alice, bob] = await kit.parties();
    const resource = kit.name();
    await alice.pause(resource, 30_000, soon);
    const [first, second] = [newId(), newId()];
    queued(await bob.enter(ask(resource, first, { line: true })));
    queued(await alice.enter(ask(resource, second, { line: true })));

    await alice.pause(resource, 0, soon);

    queued(await alice.enter(ask(resource, second, { line: true })));
    granted(await bob.enter(ask(resource, first, { line: true })));
  });

  it('ends by itself', async () => {
    const [alice, bob] = await kit.parties();
    const resource = kit.name();
    await alice.pause(resource, lease, soon);
    await kit.pass(lease / 2);
    expect(await enters(bob, resource)).toBe(false);
    await kit.passUntil(() => enters(bob, resource), 2 * lease);
  });

  it('ends when it is set to 0, also where there is none', async () => {
    const [alice, bob] = await kit.parties();
    const resource = kit.name();
    await alice.pause(resource, 30_000, soon);
    expect(await enters(bob, resource)).toBe(false);

    await bob.pause(resource, 0, soon);
    await bob.pause(resource, 0, soon);

    expect(await enters(bob, resource)).toBe(true);
  });

  it('counts from the last call', async () => {
    const [alice, bob] = await kit.parties();
    const resource = kit.name();
    await alice.pause(resource, 30_000, soon);
    await bob.pause(resource, lease, soon);
    await kit.passUntil(() => enters(bob, resource), 2 * lease);
  });

  it('takes nothing from those who hold', async () => {
    const [alice, bob] = await kit.parties();
    const [resource, id] = [kit.name(), newId()];
    const first = granted(await alice.enter(ask(resource, id)));
    await bob.pause(resource, 30_000, soon);

    expect(await renew(alice, resource, id)).toBe('kept');
    expect(granted(await alice.enter(ask(resource, id))).grants).toEqual(first.grants);
    await exit(alice, resource, id);
    expect(await enters(alice, resource)).toBe(false);
    await bob.pause(resource, 0, soon);
  });

  it('is of one resource only', async () => {
    const [alice, bob] = await kit.parties();
    const resource = kit.name();
    await alice.pause(resource, 30_000, soon);
    await hold(bob, kit.name());
    await alice.pause(resource, 0, soon);
  });

  it('is shown, with its reason', async () => {
    const [alice, bob] = await kit.parties();
    const resource = kit.name();
    expect((await bob.inspect(resource, soon)).paused).toBeUndefined();

    await alice.pause(resource, 30_000, { ...soon, reason: 'moving house' });
    expect((await bob.inspect(resource, soon)).paused).toEqual({
      until: expect.any(Number),
      reason: 'moving house',
    });

    await alice.pause(resource, 0, soon);
    expect((await bob.inspect(resource, soon)).paused).toBeUndefined();
  });
}
