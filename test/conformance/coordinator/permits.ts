import { expect, it } from 'vitest';
import { ask, busy, enters, exit, granted, hold, type Kit, long, newId, renew, soon, where } from './kit.js';

export function permitSuite(kit: Kit): void {
  const { features } = kit;

  it('says what it is able to do', async () => {
    const [alice] = await kit.parties();
    expect(alice.features).toEqual(features);
    expect(alice.kind).toMatch(/./);
  });

  it('grants a free resource, and says what was granted', async () => {
    const [alice] = await kit.parties();
    const [resource, id] = [kit.name(), newId()];

    const answer = granted(await alice.enter(ask(resource, id)));

    expect(answer.capacity).toBe(1);
    expect(answer.alsoDeclared).toBeUndefined();
    expect(answer.grants).toEqual([
      { id, lease: long, ...(features.fencing && { token: expect.any(BigInt) }) },
    ]);
  });

  it('refuses everybody else while its only permit is held', async () => {
    const [alice, bob] = await kit.parties();
    const resource = kit.name();
    await hold(alice, resource);

    for (const party of [alice, bob]) {
      const { retryAfter, ownUntil } = busy(await party.enter(ask(resource, newId())));
      expect(retryAfter).toBeGreaterThan(0);
      expect(retryAfter).toBeLessThanOrEqual(long);
      expect(ownUntil).toBeUndefined();
    }
  });

  it('lets only one of many in that ask at the same moment', async () => {
    const [alice, bob] = await kit.parties();
    const resource = kit.name();
    const parties = Array.from({ length: 20 }, (_, i) => (i % 2 ? alice : bob));

    const answers = await Promise.all(parties.map((party) => enters(party, resource)));

    // Without fairness, those that collide may all be refused.
    const most = answers.filter(Boolean).length;
    expect(most).toBeLessThanOrEqual(1);
    if (features.fair) expect(most).toBe(1);
  });

  it('keeps resources apart', async () => {
    const [alice, bob] = await kit.parties();
    await hold(alice, kit.name());
    await hold(bob, kit.name());
  });

  it('leaves nothing of a refused try', async () => {
    const [alice, bob] = await kit.parties();
    const resource = kit.name();
    const held = await hold(alice, resource);
    const refused = newId();
    busy(await bob.enter(ask(resource, refused)));

    expect((await alice.inspect(resource, soon)).waiting).toEqual([]);
    expect(await renew(bob, resource, refused)).toBe('lost');
    await exit(alice, resource, held);
    expect(await enters(alice, resource)).toBe(true);
  });

  it('grants a claim that it holds again, with the same token', async () => {
    const [alice, bob] = await kit.parties();
    const [resource, id] = [kit.name(), newId()];
    const first = granted(await alice.enter(ask(resource, id)));

    for (const party of [alice, bob]) {
      for (const line of [false, true]) {
        const again = granted(await party.enter(ask(resource, id, { line })));
        expect(again.grants).toEqual(first.grants);
      }
    }
    expect((await alice.inspect(resource, soon)).holders).toHaveLength(1);
  });

  it('lets the next one in when a permit is given back', async () => {
    const [alice, bob] = await kit.parties();
    const resource = kit.name();
    const held = await hold(alice, resource);

    await exit(alice, resource, held);

    expect(await enters(bob, resource)).toBe(true);
  });

  it('takes a permit back once, however often it is given back', async () => {
    const [alice, bob] = await kit.parties();
    const resource = kit.name();
    const held = await hold(alice, resource);
    await exit(alice, resource, held);
    await hold(bob, resource);

    await exit(alice, resource, held, held);

    expect(await enters(alice, resource)).toBe(false);
  });

  it('takes no notice when what is given back is not there', async () => {
    const [alice] = await kit.parties();
    const resource = kit.name();
    await exit(alice, resource, newId(), newId());
    await alice.exit([], soon);
    expect(await enters(alice, resource)).toBe(true);
  });

  it('takes back permits of several resources at once', async () => {
    const [alice, bob] = await kit.parties();
    const held = await Promise.all(
      Array.from({ length: 5 }, async () => {
        const resource = kit.name();
        return { resource, id: await hold(alice, resource) };
      }),
    );

    await alice.exit([...held, { resource: kit.name(), id: newId() }], soon);

    for (const { resource } of held) expect(await enters(bob, resource)).toBe(true);
  });

  it('gives tokens exactly where it promises fencing', async () => {
    const [alice] = await kit.parties();
    const [grant] = granted(await alice.enter(ask(kit.name(), newId()))).grants;
    expect(typeof grant!.token).toBe(features.fencing ? 'bigint' : 'undefined');
  });

  where(features.fencing)('gives every grant of a resource a higher token', async () => {
    const parties = await kit.parties();
    const resource = kit.name();
    let last = -1n;
    for (let round = 0; round < 10; round++) {
      const [party, id] = [parties[round % 2]!, newId()];
      const [grant] = granted(await party.enter(ask(resource, id))).grants;
      expect(grant!.token).toBeGreaterThan(last);
      last = grant!.token!;
      await exit(party, resource, id);
    }
  });

  where(features.semaphore)('grants as many permits as the capacity, and no more', async () => {
    const [alice, bob] = await kit.parties();
    const resource = kit.name();
    const capacity = 3;
    const held = await hold(alice, resource, { capacity });
    await hold(bob, resource, { capacity });
    await hold(alice, resource, { capacity });
    expect(await enters(bob, resource, newId(), { capacity })).toBe(false);

    await exit(alice, resource, held);

    expect(await enters(bob, resource, newId(), { capacity })).toBe(true);
    expect(await enters(alice, resource, newId(), { capacity })).toBe(false);
  });

  where(features.weighted)('counts every permit by its weight', async () => {
    const [alice, bob] = await kit.parties();
    const resource = kit.name();
    const heavy = await hold(alice, resource, { capacity: 5, weight: 3 });
    await hold(bob, resource, { capacity: 5, weight: 1 });
    expect(await enters(bob, resource, newId(), { capacity: 5, weight: 2 })).toBe(false);
    expect(await enters(bob, resource, newId(), { capacity: 5, weight: 1 })).toBe(true);

    await exit(alice, resource, heavy);

    expect(await enters(alice, resource, newId(), { capacity: 5, weight: 4 })).toBe(false);
    expect(await enters(alice, resource, newId(), { capacity: 5, weight: 3 })).toBe(true);
  });

  it('grants one of several claims on a mutex: the first', async () => {
    const [alice] = await kit.parties();
    const [resource, first] = [kit.name(), newId()];
    const { grants } = granted(await alice.enter(ask(resource, [first, newId(), newId()])));
    expect(grants.map(({ id }) => id)).toEqual([first]);
    busy(await alice.enter(ask(resource, [newId(), newId()])));
  });

  where(features.semaphore)('grants several claims from the front, as far as there is room', async () => {
    const [alice, bob] = await kit.parties();
    const resource = kit.name();
    const claims = Array.from({ length: 5 }, newId);
    await hold(bob, resource, { capacity: 4 });

    const first = granted(await alice.enter(ask(resource, claims, { capacity: 4 })));
    const again = granted(await alice.enter(ask(resource, claims, { capacity: 4 })));

    expect(first.grants.map(({ id }) => id)).toEqual(claims.slice(0, 3));
    expect(again.grants).toEqual(first.grants);
    busy(await bob.enter(ask(resource, [newId(), newId()], { capacity: 4 })));
    if (features.fencing) {
      const tokens = first.grants.map(({ token }) => token!);
      expect(tokens).toEqual([...new Set(tokens)].sort((a, b) => (a < b ? -1 : 1)));
    }
  });
}
