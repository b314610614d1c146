import { expect, it } from 'vitest';
import { ask, enters, exit, hold, type Kit, newId, queued, renew, soon, standInLine } from './kit.js';

export function placeSuite(kit: Kit): void {
  const { lease } = kit;

  it('lets a place lapse whose owner does not ask again, so that it blocks nobody', async () => {
    const [alice, bob] = await kit.parties();
    const resource = kit.name();
    const held = await hold(alice, resource);
    await standInLine(bob, resource, { placeLife: lease });
    const alive = await standInLine(alice, resource);
    await exit(alice, resource, held);

    await kit.passUntil(() => enters(alice, resource, alive, { line: true }), 3 * lease);
  });

  it('lets tries in again when all in line have lapsed', async () => {
    const [alice, bob] = await kit.parties();
    const resource = kit.name();
    const held = await hold(alice, resource);
    await standInLine(bob, resource, { placeLife: lease });
    await exit(alice, resource, held);

    expect(await enters(alice, resource)).toBe(false);
    await kit.passUntil(() => enters(alice, resource), 3 * lease);
  });

  it('keeps a place for as long as its owner asks again', async () => {
    const [alice, bob] = await kit.parties();
    const resource = kit.name();
    const held = await hold(alice, resource);
    const first = await standInLine(bob, resource, { placeLife: lease });
    const second = await standInLine(alice, resource);
    for (let round = 0; round < 4; round++) {
      await kit.pass(lease / 2);
      queued(await bob.enter(ask(resource, first, { line: true, placeLife: lease })));
    }
    await exit(alice, resource, held);

    expect(await enters(alice, resource, second, { line: true })).toBe(false);
    expect(await enters(bob, resource, first, { line: true })).toBe(true);
  });

  it('puts a claim whose place has lapsed at the end', async () => {
    const [alice, bob] = await kit.parties();
    const resource = kit.name();
    await hold(alice, resource);
    const lapsed = await standInLine(bob, resource, { placeLife: lease });
    await standInLine(alice, resource);
    await kit.passUntil(async () => (await alice.inspect(resource, soon)).waiting.length === 1, 3 * lease);

    expect(queued(await bob.enter(ask(resource, lapsed, { line: true }))).ahead).toBe(1);
  });

  it('says to ask again when a place ahead may have lapsed', async () => {
    const [alice, bob] = await kit.parties();
    const resource = kit.name();
    await hold(alice, resource);
    await standInLine(bob, resource, { placeLife: lease });

    const { retryAfter } = queued(await alice.enter(ask(resource, newId(), { line: true })));

    expect(retryAfter).toBeLessThanOrEqual(lease * 1.25);
  });

  it('makes no permit of a place that is renewed', async () => {
    const [alice, bob] = await kit.parties();
    const resource = kit.name();
    await hold(alice, resource);
    const id = await standInLine(bob, resource);

    const answers = await bob.renew([{ resource, id, lease }], soon);

    expect(answers.get(id)).toBe('lost');
    expect(queued(await bob.enter(ask(resource, id, { line: true }))).ahead).toBe(0);
  });

  it('knows a permit whose place stood with another party', async () => {
    const [alice, bob] = await kit.parties();
    const resource = kit.name();
    const held = await hold(alice, resource);
    const id = await standInLine(bob, resource);
    await exit(alice, resource, held);
    expect(await enters(alice, resource, id, { line: true })).toBe(true);

    for (const party of [bob, alice]) expect(await renew(party, resource, id)).toBe('kept');
    await exit(bob, resource, id);
    for (const party of [bob, alice]) expect(await renew(party, resource, id)).toBe('lost');
  });

  it('gives back permits and places of several resources at once', async () => {
    const [alice, bob] = await kit.parties();
    const [one, other] = [kit.name(), kit.name()];
    const [held, heldOther] = [await hold(alice, one), await hold(alice, other)];
    const place = await standInLine(bob, other);

    await alice.exit(
      [
        { resource: one, id: held },
        { resource: other, id: place },
        { resource: other, id: heldOther },
      ],
      soon,
    );

    expect(await enters(bob, one)).toBe(true);
    expect(await enters(alice, other)).toBe(true);
  });
}
