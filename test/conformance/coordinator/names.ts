import { expect, it } from 'vitest';
import { ask, book, busy, enters, exit, granted, type Kit, newId, soon, where } from './kit.js';

/** A crashed run may have left something on names that cannot be fresh, so their leases are short. */
const lease = 5_000;

const strange = [
  '',
  ' ',
  '*',
  ':',
  '{}',
  '{',
  '}',
  '/',
  '//',
  '.',
  '..',
  '\n',
  '%',
  '%2F',
  '\u{1f511}',
  '\u0000',
];

export function nameSuite(kit: Kit): void {
  const { features } = kit;
  const names = () => {
    const base = kit.name();
    const variants = ['*', ':', '/', '{a}', '\n', ' ', 'x'.repeat(10_240)].map((end) => base + end);
    return [...strange, base, base.toUpperCase(), ...variants, variants.at(-1)!.slice(0, -1)];
  };

  it('keeps strange names apart, and apart from each other', async () => {
    const [alice, bob] = await kit.parties();
    const claims = names().map((resource) => ({ resource, id: newId() }));
    for (const { resource, id } of claims) {
      await kit.passUntil(() => enters(alice, resource, id, { lease }), 3 * lease);
    }

    for (const { resource, id } of claims) {
      busy(await bob.enter(ask(resource, newId(), { lease })));
      const { holders, ...state } = await bob.inspect(resource, soon);
      expect(state.resource).toBe(resource);
      expect(holders.map((holder) => holder.id)).toEqual([id]);
    }
    for (const [i, { resource, id }] of claims.entries()) {
      await exit(alice, resource, id);
      const free = newId();
      expect(await enters(bob, resource, free, { lease }), JSON.stringify(resource)).toBe(true);
      await exit(bob, resource, free);
      for (const later of claims.slice(i + 1, i + 2)) {
        expect((await alice.inspect(later.resource, soon)).holders).toHaveLength(1);
      }
    }
  });

  where(features.rate)('keeps the rates of strange names apart', async () => {
    const [alice, bob] = await kit.parties();
    const base = kit.name();
    const rates = ['', '*', ':', '{}', '/', '..', '\n'].map((end) => base + end);
    for (const resource of rates) expect((await book(alice, resource)).kind).toBe('now');
    for (const resource of rates) expect((await book(bob, resource)).kind).toBe('later');
  });

  where(features.fair)('lets claims of strange names stand in line', async () => {
    const [alice, bob] = await kit.parties();
    const base = kit.name();
    for (const resource of ['*', ':', '{}', '/..', '\n'].map((end) => base + end)) {
      const [held, waiting] = [newId(), newId()];
      granted(await alice.enter(ask(resource, held)));
      expect((await bob.enter(ask(resource, waiting, { line: true }))).kind).toBe('queued');
      await exit(alice, resource, held);
      expect(await enters(bob, resource, waiting, { line: true })).toBe(true);
      await exit(bob, resource, waiting);
    }
  });

  where(kit.idle !== undefined)('leaves nothing of names that are no longer used', async () => {
    const [alice, bob] = await kit.parties();
    for (let round = 0; round < 3; round++) {
      await Promise.all(Array.from({ length: 100 }, (_, i) => use(i % 2 ? alice : bob, kit.name())));
    }
    if (features.rate)
      for (let i = 0; i < 20; i++) await book(alice, kit.name(), newId(), { tolerance: 100 });
    await enters(alice, kit.name(), newId(), { lease: kit.lease });

    await kit.passUntil(() => kit.idle!(), 5 * kit.lease);
  });

  async function use(party: Parameters<typeof enters>[0], resource: string): Promise<void> {
    const [first, second] = [newId(), newId()];
    const stop = party.wake({ resource, id: second }, () => {});
    await enters(party, resource, first);
    await party.enter(ask(resource, second, { line: features.fair }));
    await exit(party, resource, first, second);
    await party.pause(resource, 30_000, soon);
    await party.pause(resource, 0, soon);
    await party.inspect(resource, soon);
    stop();
  }
}
