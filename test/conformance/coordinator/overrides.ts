import { expect } from 'vitest';
import { ConfigError } from '../../../src/errors.js';
import { ask, enters, exit, granted, hold, type Kit, newId, soon, standInLine, where } from './kit.js';

export function overrideSuite(kit: Kit): void {
  const { features, lease } = kit;
  const it = where(true);

  it('counts for every request, whatever it declares', async () => {
    const [alice, bob] = await kit.parties();
    const resource = kit.name();
    await alice.setCapacity(resource, 2, soon);
    expect(granted(await bob.enter(ask(resource, newId(), { capacity: 1 }))).capacity).toBe(2);
    expect(granted(await alice.enter(ask(resource, newId(), { capacity: 9 }))).capacity).toBe(2);
    expect(await enters(bob, resource, newId(), { capacity: 9 })).toBe(false);
    await alice.setCapacity(resource, undefined, soon);
  });

  it('makes room at once when it is raised', async () => {
    const [alice, bob] = await kit.parties();
    const resource = kit.name();
    await hold(alice, resource);
    expect(await enters(bob, resource)).toBe(false);

    await alice.setCapacity(resource, 3, soon);

    expect(await enters(bob, resource)).toBe(true);
    expect(await enters(bob, resource)).toBe(true);
    expect(await enters(bob, resource)).toBe(false);
    await alice.setCapacity(resource, undefined, soon);
  });

  it('revokes nobody when it is lowered, and grants nothing until enough has been given back', async () => {
    const [alice, bob] = await kit.parties();
    const resource = kit.name();
    const capacity = 3;
    const held = [];
    for (let i = 0; i < capacity; i++) held.push(await hold(alice, resource, { capacity }));

    await bob.setCapacity(resource, 1, soon);

    const renewals = held.map((id) => ({ resource, id, lease: 60_000 }));
    expect([...(await alice.renew(renewals, soon)).values()]).toEqual(['kept', 'kept', 'kept']);
    granted(await alice.enter(ask(resource, held[0]!, { capacity })));
    for (const id of held) {
      expect(await enters(bob, resource, newId(), { capacity })).toBe(false);
      await exit(alice, resource, id);
    }
    expect(await enters(bob, resource, newId(), { capacity })).toBe(true);
    await bob.setCapacity(resource, undefined, soon);
  });

  it('gives way to what is declared when it is taken back', async () => {
    const [alice, bob] = await kit.parties();
    const resource = kit.name();
    await alice.setCapacity(resource, 5, soon);
    await hold(alice, resource);

    await bob.setCapacity(resource, undefined, soon);

    expect((await alice.inspect(resource, soon)).override).toBeUndefined();
    expect(await enters(bob, resource)).toBe(false);
    await bob.setCapacity(kit.name(), undefined, soon);
  });

  it('gives way to what is declared when it expires', async () => {
    const [alice, bob] = await kit.parties();
    const resource = kit.name();
    await alice.setCapacity(resource, 3, { ...soon, expiresIn: lease });
    await hold(alice, resource);
    await hold(alice, resource);

    const gone = async () => (await bob.inspect(resource, soon)).override === undefined;
    expect(await gone()).toBe(false);
    await kit.passUntil(gone, 3 * lease);

    expect(await enters(bob, resource)).toBe(false);
    expect((await bob.inspect(resource, soon)).holders).toHaveLength(2);
  });

  it('is replaced by the next, with its expiry', async () => {
    const [alice, bob] = await kit.parties();
    const resource = kit.name();
    await alice.setCapacity(resource, 5, { ...soon, expiresIn: lease });
    await bob.setCapacity(resource, 2, soon);
    await kit.pass(1.5 * lease);

    expect((await alice.inspect(resource, soon)).override).toEqual({ capacity: 2 });
    await bob.setCapacity(resource, undefined, soon);
  });

  where(features.weighted)('rejects what weighs more than it, whatever is declared', async () => {
    const [alice] = await kit.parties();
    const resource = kit.name();
    await alice.setCapacity(resource, 2, soon);
    const answer = alice.enter(ask(resource, newId(), { capacity: 5, weight: 3 }));
    await expect(answer).rejects.toBeInstanceOf(ConfigError);
    await alice.setCapacity(resource, undefined, soon);
  });

  where(features.weighted && features.fair)(
    'lets a place that has become too heavy block nobody',
    async () => {
      const [alice, bob] = await kit.parties();
      const resource = kit.name();
      const capacity = 3;
      const held = await hold(alice, resource, { capacity, weight: 3 });
      const heavy = await standInLine(alice, resource, { capacity, weight: 3 });
      const light = await standInLine(bob, resource, { capacity });

      await bob.setCapacity(resource, 2, soon);
      await exit(alice, resource, held);

      // At once, or as soon as the owner of that place has heard of the capacity.
      await kit.passUntil(() => enters(bob, resource, light, { capacity, line: true }), lease);
      const again = alice.enter(ask(resource, heavy, { capacity, weight: 3, line: true }));
      await expect(again).rejects.toBeInstanceOf(ConfigError);
      await bob.setCapacity(resource, undefined, soon);
    },
  );
}
