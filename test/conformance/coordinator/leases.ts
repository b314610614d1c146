import { expect, it } from 'vitest';
import { ask, enters, exit, granted, hold, type Kit, newId, renew, soon, where } from './kit.js';

export function leaseSuite(kit: Kit): void {
  const { features, lease } = kit;

  it('lets the next one in when a lease has ended, and not before', async () => {
    const [alice, bob] = await kit.parties();
    const resource = kit.name();
    await hold(alice, resource, { lease });

    await kit.pass(lease / 2);
    expect(await enters(bob, resource)).toBe(false);

    await kit.passUntil(() => enters(bob, resource), 3 * lease);
  });

  it('tells the refused when the lease ends', async () => {
    const [alice, bob] = await kit.parties();
    const resource = kit.name();
    await hold(alice, resource, { lease });

    const refusal = await bob.enter(ask(resource, newId()));

    expect(refusal).toMatchObject({ kind: 'busy', retryAfter: expect.any(Number) });
    expect((refusal as { retryAfter: number }).retryAfter).toBeLessThanOrEqual(lease * 1.25);
  });

  it('keeps a permit for as long as it is renewed', async () => {
    const [alice, bob] = await kit.parties();
    const resource = kit.name();
    const held = await hold(alice, resource, { lease });
    for (let round = 0; round < 4; round++) {
      await kit.pass(lease / 2);
      expect(await renew(alice, resource, held, lease)).toBe('kept');
    }
    expect(await enters(bob, resource)).toBe(false);
  });

  it('begins a lease anew when a held claim enters again', async () => {
    const [alice, bob] = await kit.parties();
    const [resource, id] = [kit.name(), newId()];
    for (let round = 0; round < 4; round++) {
      granted(await alice.enter(ask(resource, id, { lease })));
      await kit.pass(lease / 2);
    }
    expect(await enters(bob, resource)).toBe(false);
  });

  it('answers for each of many permits of many resources', async () => {
    const [alice] = await kit.parties();
    const [one, other] = [kit.name(), kit.name()];
    const kept = [
      { resource: one, id: await hold(alice, one), lease },
      { resource: other, id: await hold(alice, other), lease },
    ];
    const lost = [
      { resource: one, id: newId(), lease },
      { resource: kit.name(), id: newId(), lease },
    ];

    const answers = await alice.renew([...kept, ...lost], soon);

    expect(answers).toEqual(
      new Map([
        [kept[0]!.id, 'kept'],
        [kept[1]!.id, 'kept'],
        [lost[0]!.id, 'lost'],
        [lost[1]!.id, 'lost'],
      ]),
    );
    expect(await alice.renew([], soon)).toEqual(new Map());
  });

  it('knows no permit that was given back', async () => {
    const [alice] = await kit.parties();
    const resource = kit.name();
    const held = await hold(alice, resource);
    await exit(alice, resource, held);

    expect(await renew(alice, resource, held)).toBe('lost');
    expect((await alice.inspect(resource, soon)).holders).toEqual([]);
  });

  it('gives a lapsed permit back to nobody, though it is renewed', async () => {
    const [alice, bob] = await kit.parties();
    const resource = kit.name();
    const lapsed = await hold(alice, resource, { lease });
    await kit.passUntil(async () => (await bob.inspect(resource, soon)).holders.length === 0, 3 * lease);

    expect(await renew(alice, resource, lapsed)).toBe('lost');
    await hold(bob, resource);
    expect(await renew(alice, resource, lapsed)).toBe('lost');
  });

  it("leaves the next holder's permit alone when a lapsed one is given back", async () => {
    const [alice, bob] = await kit.parties();
    const resource = kit.name();
    const lapsed = await hold(alice, resource, { lease });
    const next = newId();
    await kit.passUntil(() => enters(bob, resource, next), 3 * lease);

    await exit(alice, resource, lapsed);

    expect(await renew(bob, resource, next)).toBe('kept');
    expect(await enters(alice, resource)).toBe(false);
  });

  where(features.fencing)(
    'gives a higher token after a lease has ended, and after all is quiet',
    async () => {
      const [alice, bob] = await kit.parties();
      const resource = kit.name();
      const [first] = granted(await alice.enter(ask(resource, newId(), { lease }))).grants;
      await kit.passUntil(async () => (await bob.inspect(resource, soon)).holders.length === 0, 3 * lease);
      await kit.pass(lease);

      const [second] = granted(await bob.enter(ask(resource, newId()))).grants;

      expect(second!.token).toBeGreaterThan(first!.token!);
    },
  );
}
