import { expect, it } from 'vitest';
import {
  ask,
  busy,
  enters,
  exit,
  granted,
  hold,
  type Kit,
  long,
  newId,
  queued,
  soon,
  standInLine,
  where,
} from './kit.js';

export function lineSuite(kit: Kit): void {
  const { features } = kit;

  it('serves whoever came first, of whatever party', async () => {
    const [alice, bob] = await kit.parties();
    const resource = kit.name();
    let holder = await hold(alice, resource);
    const line = [];
    for (const party of [bob, alice, bob]) line.push({ party, id: await standInLine(party, resource) });

    for (const [turn, { party, id }] of line.entries()) {
      await exit(alice, resource, holder);
      for (const later of line.slice(turn + 1).reverse()) {
        queued(await later.party.enter(ask(resource, later.id, { line: true })));
      }
      granted(await party.enter(ask(resource, id, { line: true })));
      holder = id;
    }
  });

  it('tells how many stand ahead, and when to ask again', async () => {
    const [alice, bob] = await kit.parties();
    const resource = kit.name();
    await hold(alice, resource);
    const ids = [newId(), newId(), newId()];
    for (const round of ['join', 'ask again']) {
      for (const [ahead, id] of ids.entries()) {
        const answer = queued(await (ahead % 2 ? alice : bob).enter(ask(resource, id, { line: true })));
        expect(answer.ahead, round).toBe(ahead);
        expect(answer.retryAfter).toBeGreaterThan(0);
        expect(answer.retryAfter).toBeLessThanOrEqual(long);
      }
    }
  });

  it('grants a claim that finds room without a place', async () => {
    const [alice] = await kit.parties();
    const resource = kit.name();
    await hold(alice, resource, { line: true });
    const { holders, waiting } = await alice.inspect(resource, soon);
    expect([holders.length, waiting.length]).toEqual([1, 0]);
  });

  it('takes the place away when the claim is granted', async () => {
    const [alice, bob] = await kit.parties();
    const resource = kit.name();
    const held = await hold(alice, resource);
    const waiting = await standInLine(bob, resource);
    await exit(alice, resource, held);
    granted(await bob.enter(ask(resource, waiting, { line: true })));

    expect((await alice.inspect(resource, soon)).waiting).toEqual([]);
    await exit(bob, resource, waiting);
    expect(await enters(alice, resource)).toBe(true);
  });

  it('lets no try past those in line, though there is room', async () => {
    const [alice, bob] = await kit.parties();
    const resource = kit.name();
    const held = await hold(alice, resource);
    const first = await standInLine(bob, resource);
    await exit(alice, resource, held);

    for (const party of [alice, bob]) busy(await party.enter(ask(resource, newId())));

    granted(await bob.enter(ask(resource, first, { line: true })));
  });

  it('moves up when somebody ahead leaves', async () => {
    const [alice, bob] = await kit.parties();
    const resource = kit.name();
    const held = await hold(alice, resource);
    const first = await standInLine(alice, resource);
    const second = await standInLine(bob, resource);

    await exit(alice, resource, first);

    expect(queued(await bob.enter(ask(resource, second, { line: true }))).ahead).toBe(0);
    await exit(alice, resource, held);
    granted(await bob.enter(ask(resource, second, { line: true })));
  });

  it('puts whoever left and comes back at the end', async () => {
    const [alice, bob] = await kit.parties();
    const resource = kit.name();
    await hold(alice, resource);
    const first = await standInLine(alice, resource);
    await standInLine(bob, resource);
    await exit(alice, resource, first);

    expect(queued(await alice.enter(ask(resource, first, { line: true }))).ahead).toBe(1);
  });

  where(features.weighted)('lets no light claim past a heavy one that waits for room', async () => {
    const [alice, bob] = await kit.parties();
    const resource = kit.name();
    const capacity = 3;
    const held = await hold(alice, resource, { capacity, weight: 2 });
    const heavy = await standInLine(bob, resource, { capacity, weight: 3 });
    const light = await standInLine(alice, resource, { capacity });

    busy(await bob.enter(ask(resource, newId(), { capacity })));
    queued(await alice.enter(ask(resource, light, { capacity, line: true })));
    await exit(alice, resource, held);
    queued(await alice.enter(ask(resource, light, { capacity, line: true })));

    granted(await bob.enter(ask(resource, heavy, { capacity, weight: 3, line: true })));
    await exit(bob, resource, heavy);
    granted(await alice.enter(ask(resource, light, { capacity, line: true })));
  });

  where(features.semaphore)('admits as many from the front as there is room for', async () => {
    const [alice, bob] = await kit.parties();
    const resource = kit.name();
    const capacity = 2;
    const held = [await hold(alice, resource, { capacity }), await hold(alice, resource, { capacity })];
    const line = [];
    for (const party of [bob, alice, bob])
      line.push({ party, id: await standInLine(party, resource, { capacity }) });
    await exit(alice, resource, ...held);

    const answers = [];
    for (const { party, id } of line)
      answers.push(await enters(party, resource, id, { capacity, line: true }));

    expect(answers).toEqual([true, true, false]);
  });
}
