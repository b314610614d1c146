import { expect, it } from 'vitest';
import { ask, granted, hold, type Kit, long, newId, soon, where } from './kit.js';

const slack = 15_000;

export function inspectionSuite(kit: Kit): void {
  const { features } = kit;
  const message = { task: 'a "task"\n: with\u{1f511}', message: 'm/1' };

  it('finds nothing where nothing is', async () => {
    const [alice] = await kit.parties();
    const resource = kit.name();
    expect(await alice.inspect(resource, soon)).toEqual({ resource, holders: [], waiting: [] });
  });

  it('shows who holds, what for, since when and until when', async () => {
    const [alice, bob] = await kit.parties();
    const [resource, id] = [kit.name(), newId()];
    const claim = { id, ...message, redelivered: false };
    const { grants } = granted(await alice.enter(ask(resource, claim, { owner: 'host/7/x' })));

    const state = await bob.inspect(resource, soon);

    expect(state.capacity).toBe(1);
    expect(state.waiting).toEqual([]);
    expect(state.holders).toEqual([
      {
        id,
        ...message,
        owner: 'host/7/x',
        weight: 1,
        since: expect.any(Number),
        until: expect.any(Number),
        ...(features.fencing && { token: grants[0]!.token }),
        foreign: false,
      },
    ]);
    const { since, until } = state.holders[0]!;
    expect(new Date(since).getUTCFullYear()).toBeGreaterThanOrEqual(2025);
    expect(Math.abs(until - since - long)).toBeLessThan(slack);
  });

  it('shows a lease that was begun anew', async () => {
    const [alice, bob] = await kit.parties();
    const resource = kit.name();
    const id = await hold(alice, resource);
    const [before] = (await bob.inspect(resource, soon)).holders;
    await alice.renew([{ resource, id, lease: 3 * long }], soon);

    const [after] = (await bob.inspect(resource, soon)).holders;

    expect(after!.since).toBe(before!.since);
    expect(Math.abs(after!.until - before!.until - 2 * long)).toBeLessThan(slack);
  });

  where(features.fair)('shows who waits, first come first', async () => {
    const [alice, bob] = await kit.parties();
    const resource = kit.name();
    await hold(alice, resource);
    const ids = [newId(), newId(), newId()];
    for (const [i, id] of ids.entries()) {
      const party = i % 2 ? alice : bob;
      await party.enter(ask(resource, { id, ...message }, { line: true, owner: `host/${i}/x` }));
    }

    const { waiting } = await alice.inspect(resource, soon);

    expect(waiting.map(({ id }) => id)).toEqual(ids);
    expect(waiting[1]).toMatchObject({ ...message, owner: 'host/1/x', weight: 1, foreign: false });
    expect(Math.abs(waiting[1]!.until - waiting[1]!.since - long)).toBeLessThan(slack);
  });

  where(features.weighted)('shows the weights', async () => {
    const [alice, bob] = await kit.parties();
    const resource = kit.name();
    await hold(alice, resource, { capacity: 5, weight: 2 });
    await hold(bob, resource, { capacity: 5, weight: 3 });
    const { holders, capacity } = await bob.inspect(resource, soon);
    expect(holders.map(({ weight }) => weight).sort()).toEqual([2, 3]);
    expect(capacity).toBe(5);
  });

  where(features.semaphore)('shows an override, and how long it lasts', async () => {
    const [alice, bob] = await kit.parties();
    const resource = kit.name();
    await hold(alice, resource, { capacity: 2 });
    await alice.setCapacity(resource, 7, { ...soon, expiresIn: long });

    const { capacity, override } = await bob.inspect(resource, soon);

    expect(capacity).toBe(7);
    expect(override!.capacity).toBe(7);
    expect(override!.expiresIn).toBeGreaterThan(long - slack);
    expect(override!.expiresIn).toBeLessThanOrEqual(long);
    await alice.setCapacity(resource, undefined, soon);
  });
}
