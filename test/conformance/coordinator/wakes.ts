import { expect, it } from 'vitest';
import type { Coordinator } from '../../../src/locks/coordinator.js';
import { until } from '../../support/until.js';
import {
  ask,
  enters,
  exit,
  granted,
  hold,
  type Kit,
  newId,
  queued,
  renew,
  soon,
  standInLine,
  where,
} from './kit.js';

/** Counts the calls for a claim. */
function bell(party: Coordinator, resource: string, id: string) {
  const counter = { calls: 0, stop: () => {} };
  counter.stop = party.wake({ resource, id }, () => void counter.calls++);
  return counter;
}

export function wakeSuite(kit: Kit): void {
  const { features } = kit;

  it('lets whoever listens stop listening, as often as it likes', async () => {
    const [alice] = await kit.parties();
    const { stop } = bell(alice, kit.name(), newId());
    stop();
    stop();
  });

  if (features.fair) lineWakes(kit);

  where(features.fair)('tells the holder whose permit was taken away', async () => {
    const [alice, bob] = await kit.parties();
    const resource = kit.name();
    const held = await hold(alice, resource);
    const listening = bell(alice, resource, held);

    await bob.evict({ resource, id: held }, soon);

    await until(() => listening.calls > 0);
    expect(await renew(alice, resource, held)).toBe('lost');
  });

  where(features.semaphore && features.fair)(
    'tells the first in line when the capacity is raised',
    async () => {
      const [alice, bob] = await kit.parties();
      const resource = kit.name();
      await hold(alice, resource);
      const first = await standInLine(bob, resource);
      const listening = bell(bob, resource, first);

      await alice.setCapacity(resource, 2, soon);

      await until(() => listening.calls > 0);
      expect(await enters(bob, resource, first, { line: true })).toBe(true);
      await alice.setCapacity(resource, undefined, soon);
    },
  );

  where(features.semaphore && features.fair)('tells the next when a grant leaves room for it', async () => {
    const [alice, bob] = await kit.parties();
    const resource = kit.name();
    const capacity = 2;
    const held = [await hold(alice, resource, { capacity }), await hold(alice, resource, { capacity })];
    const first = await standInLine(bob, resource, { capacity });
    const second = await standInLine(alice, resource, { capacity });
    await exit(alice, resource, ...held);
    const listening = bell(alice, resource, second);

    granted(await bob.enter(ask(resource, first, { capacity, line: true })));

    await until(() => listening.calls > 0);
    expect(await enters(alice, resource, second, { capacity, line: true })).toBe(true);
  });
}

function lineWakes(kit: Kit): void {
  it('tells the first in line when a permit is given back', async () => {
    const [alice, bob] = await kit.parties();
    const resource = kit.name();
    const held = await hold(alice, resource);
    const first = await standInLine(bob, resource);
    const listening = bell(bob, resource, first);

    await exit(alice, resource, held);

    await until(() => listening.calls > 0);
    expect(await enters(bob, resource, first, { line: true })).toBe(true);
  });

  it('hears whoever began to listen before it stood in line', async () => {
    const [alice, bob] = await kit.parties();
    const [resource, id] = [kit.name(), newId()];
    const listening = bell(bob, resource, id);
    const held = await hold(alice, resource);
    queued(await bob.enter(ask(resource, id, { line: true })));

    await exit(alice, resource, held);

    await until(() => listening.calls > 0);
  });

  it('hears whoever listens, though nobody used the resource for a while', async () => {
    const [alice, bob] = await kit.parties();
    const [resource, id] = [kit.name(), newId()];
    const listening = bell(bob, resource, id);
    await exit(alice, resource, await hold(alice, resource));
    const held = await hold(alice, resource);
    queued(await bob.enter(ask(resource, id, { line: true })));

    await exit(alice, resource, held);

    await until(() => listening.calls > 0);
  });

  it('calls nobody who has stopped listening', async () => {
    const [alice, bob] = await kit.parties();
    const resource = kit.name();
    const held = await hold(alice, resource);
    const first = await standInLine(bob, resource);
    const [stopped, listening] = [bell(bob, resource, first), bell(bob, resource, first)];
    stopped.stop();

    await exit(alice, resource, held);

    await until(() => listening.calls > 0);
    expect(stopped.calls).toBe(0);
  });

  it('tells the next when the first leaves the line', async () => {
    const [alice, bob] = await kit.parties();
    const resource = kit.name();
    const held = await hold(alice, resource);
    const first = await standInLine(alice, resource);
    const second = await standInLine(bob, resource);
    await exit(alice, resource, held);
    const listening = bell(bob, resource, second);

    await exit(alice, resource, first);

    await until(() => listening.calls > 0);
    expect(await enters(bob, resource, second, { line: true })).toBe(true);
  });

  it('tells the first in line when a permit or a place ahead was taken away', async () => {
    const [alice, bob] = await kit.parties();
    const resource = kit.name();
    const held = await hold(alice, resource);
    const first = await standInLine(alice, resource);
    const second = await standInLine(bob, resource);
    const [firstHears, secondHears] = [bell(alice, resource, first), bell(bob, resource, second)];

    await bob.evict({ resource, id: held }, soon);
    await until(() => firstHears.calls > 0);
    await bob.evict({ resource, id: first }, soon);
    await until(() => secondHears.calls > 0);

    expect(await enters(bob, resource, second, { line: true })).toBe(true);
  });

  it('tells the first in line when a pause is ended', async () => {
    const [alice, bob] = await kit.parties();
    const resource = kit.name();
    await alice.pause(resource, 60_000, soon);
    const first = await standInLine(bob, resource);
    const listening = bell(bob, resource, first);

    await alice.pause(resource, 0, soon);

    await until(() => listening.calls > 0);
    expect(await enters(bob, resource, first, { line: true })).toBe(true);
  });
}
