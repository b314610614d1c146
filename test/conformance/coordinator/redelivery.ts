import { expect, it } from 'vitest';
import type { Claim } from '../../../src/locks/coordinator.js';
import { ask, busy, enters, exit, granted, hold, type Kit, long, newId, soon, where } from './kit.js';

export function redeliverySuite(kit: Kit): void {
  const { features, lease } = kit;
  /** Where there may be several permits, there is room for the claim, and only its own earlier run is in its way. */
  const capacity = features.semaphore ? 3 : 1;
  const run = (message: string, redelivered: boolean): Claim => ({ id: newId(), message, redelivered });

  it('refuses a redelivered message while the permit of its earlier delivery stands, and says how long', async () => {
    const [alice, bob] = await kit.parties();
    const [resource, message] = [kit.name(), newId()];
    granted(await alice.enter(ask(resource, run(message, false), { capacity, lease })));

    for (const line of [false, true]) {
      const { ownUntil } = busy(await bob.enter(ask(resource, run(message, true), { capacity, line })));
      expect(ownUntil).toBeGreaterThan(0);
      expect(ownUntil).toBeLessThanOrEqual(lease * 1.25);
    }
  });

  it('leaves no place of it in line', async () => {
    const [alice, bob] = await kit.parties();
    const [resource, message] = [kit.name(), newId()];
    granted(await alice.enter(ask(resource, run(message, false), { capacity })));

    busy(await bob.enter(ask(resource, run(message, true), { capacity, line: true })));

    expect((await alice.inspect(resource, soon)).waiting).toEqual([]);
  });

  it('lets it in when the earlier permit is given back', async () => {
    const [alice, bob] = await kit.parties();
    const [resource, message] = [kit.name(), newId()];
    const [earlier, later] = [run(message, false), run(message, true)];
    granted(await alice.enter(ask(resource, earlier, { capacity })));
    busy(await bob.enter(ask(resource, later, { capacity })));

    await exit(alice, resource, earlier.id);

    granted(await bob.enter(ask(resource, later, { capacity })));
  });

  it('lets it in when the earlier permit has lapsed', async () => {
    const [alice, bob] = await kit.parties();
    const [resource, message] = [kit.name(), newId()];
    granted(await alice.enter(ask(resource, run(message, false), { capacity, lease })));

    const later = run(message, true);
    const enter = async () => (await bob.enter(ask(resource, later, { capacity }))).kind === 'granted';
    await kit.passUntil(enter, 3 * lease);
  });

  it('counts the permit that was handed on to its earlier delivery, and no more the one that was handed on from it', async () => {
    const [alice, bob] = await kit.parties();
    const [resource, first, second] = [kit.name(), newId(), newId()];
    const earlier = run(first, false);
    granted(await alice.enter(ask(resource, earlier, { capacity })));

    const serves = { task: 'next', message: second };
    const renewed = await alice.renew([{ resource, id: earlier.id, lease: long, serves }], soon);
    expect(renewed.get(earlier.id)).toBe('kept');
    await alice.renew([{ resource, id: earlier.id, lease: long }], soon);

    const [holder] = (await bob.inspect(resource, soon)).holders;
    expect(holder).toMatchObject({ id: earlier.id, ...serves });
    expect(busy(await bob.enter(ask(resource, run(second, true), { capacity }))).ownUntil).toBeGreaterThan(0);
    const other = await bob.enter(ask(resource, run(first, true), { capacity }));
    expect(other).toMatchObject(features.semaphore ? { kind: 'granted' } : { kind: 'busy' });
    if (other.kind === 'busy') expect(other.ownUntil).toBeUndefined();
  });

  it('grants it again like any claim once it is held', async () => {
    const [alice] = await kit.parties();
    const [resource, claim] = [kit.name(), run(newId(), true)];
    const first = granted(await alice.enter(ask(resource, claim, { capacity })));
    const again = granted(await alice.enter(ask(resource, claim, { capacity })));
    expect(again.grants).toEqual(first.grants);
  });

  it('says nothing of an own run to those it does not concern', async () => {
    const [alice, bob] = await kit.parties();
    const [resource, message] = [kit.name(), newId()];
    granted(await alice.enter(ask(resource, run(message, false))));

    expect(busy(await bob.enter(ask(resource, run(message, false)))).ownUntil).toBeUndefined();
    expect(busy(await bob.enter(ask(resource, run(newId(), true)))).ownUntil).toBeUndefined();
    expect(busy(await bob.enter(ask(resource, { id: newId(), redelivered: true }))).ownUntil).toBeUndefined();
  });

  where(features.semaphore)(
    'holds up no other message, and none that is delivered for the first time',
    async () => {
      const [alice, bob] = await kit.parties();
      const [resource, message] = [kit.name(), newId()];
      granted(await alice.enter(ask(resource, run(message, false), { capacity: 4 })));

      granted(await bob.enter(ask(resource, run(newId(), true), { capacity: 4 })));
      granted(await bob.enter(ask(resource, run(message, false), { capacity: 4 })));
      expect(await enters(bob, resource, newId(), { capacity: 4 })).toBe(true);
    },
  );

  where(features.semaphore)(
    'grants no claim that stands behind a refused one in the same request',
    async () => {
      const [alice, bob] = await kit.parties();
      const [resource, message] = [kit.name(), newId()];
      granted(await alice.enter(ask(resource, run(message, false), { capacity })));
      const claims = [{ id: newId() }, run(message, true), { id: newId() }];

      const { grants } = granted(await bob.enter({ ...ask(resource, [], { capacity }), claims }));

      expect(grants.map(({ id }) => id)).toEqual([claims[0]!.id]);
      await hold(alice, resource, { capacity });
    },
  );
}
