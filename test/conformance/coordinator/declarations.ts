import { expect } from 'vitest';
import { ConfigError } from '../../../src/errors.js';
import { ask, enters, exit, granted, hold, type Kit, newId, soon, standInLine, where } from './kit.js';

export function declarationSuite(kit: Kit): void {
  const { features } = kit;

  where(features.weighted)('rejects a claim that weighs more than the capacity, naming both', async () => {
    const [alice] = await kit.parties();
    const resource = kit.name();
    for (const line of [false, true]) {
      const answer = alice.enter(ask(resource, newId(), { capacity: 2, weight: 3, line }));
      await expect(answer).rejects.toBeInstanceOf(ConfigError);
      for (const part of [resource, '2', '3']) await expect(answer).rejects.toThrow(part);
    }
    expect((await alice.inspect(resource, soon)).waiting).toEqual([]);
  });

  where(features.weighted && features.fair)(
    'lets a claim that is too heavy stand in nobody’s way',
    async () => {
      const [alice, bob] = await kit.parties();
      const resource = kit.name();
      const held = await hold(alice, resource, { capacity: 2, weight: 2 });
      const heavy = await standInLine(alice, resource, { capacity: 2, weight: 2 });
      const light = await standInLine(bob, resource, { capacity: 2 });

      // It was fit when it came, and is not any more.
      const again = alice.enter(ask(resource, heavy, { capacity: 1, weight: 2, line: true }));
      await expect(again).rejects.toBeInstanceOf(ConfigError);
      await exit(alice, resource, held);

      expect(await enters(bob, resource, light, { capacity: 2, line: true })).toBe(true);
    },
  );

  where(!features.weighted)('rejects weights above 1, for it has none', async () => {
    const [alice] = await kit.parties();
    const answer = alice.enter(ask(kit.name(), newId(), { capacity: features.semaphore ? 3 : 1, weight: 2 }));
    await expect(answer).rejects.toBeInstanceOf(ConfigError);
  });

  where(!features.semaphore)('rejects capacities above 1, for it has none', async () => {
    const [alice] = await kit.parties();
    const resource = kit.name();
    await expect(alice.enter(ask(resource, newId(), { capacity: 2 }))).rejects.toBeInstanceOf(ConfigError);
    await expect(alice.setCapacity(resource, 2, soon)).rejects.toBeInstanceOf(ConfigError);
  });

  where(features.semaphore)('judges each request by the capacity it declares', async () => {
    const [alice, bob] = await kit.parties();
    const resource = kit.name();
    await hold(alice, resource, { capacity: 2 });
    expect(await enters(bob, resource, newId(), { capacity: 1 })).toBe(false);
    expect(await enters(bob, resource, newId(), { capacity: 2 })).toBe(true);
    expect(await enters(bob, resource, newId(), { capacity: 2 })).toBe(false);
    expect(granted(await bob.enter(ask(resource, newId(), { capacity: 3 }))).capacity).toBe(3);
  });

  where(features.semaphore)('tells of another capacity that was declared', async () => {
    const [alice, bob] = await kit.parties();
    const resource = kit.name();
    await hold(alice, resource, { capacity: 3 });

    expect(granted(await bob.enter(ask(resource, newId(), { capacity: 2 }))).alsoDeclared).toBe(3);
    expect(granted(await alice.enter(ask(resource, newId(), { capacity: 3 }))).alsoDeclared).toBe(2);
  });

  where(features.semaphore)('tells of none when all declare the same', async () => {
    const [alice, bob] = await kit.parties();
    const resource = kit.name();
    await hold(alice, resource, { capacity: 3 });
    expect(granted(await bob.enter(ask(resource, newId(), { capacity: 3 }))).alsoDeclared).toBeUndefined();
  });
}
