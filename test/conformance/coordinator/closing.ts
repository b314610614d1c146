import { expect, it } from 'vitest';
import { ClosedError } from '../../../src/errors.js';
import { ask, enters, exit, hold, type Kit, newId, soon } from './kit.js';

export function closingSuite(kit: Kit): void {
  const { lease } = kit;

  it('answers nothing any more', async () => {
    const alice = await kit.connect();
    await alice.close();
    await alice.close();

    const resource = kit.name();
    const claim = { resource, id: newId() };
    const calls = [
      () => alice.enter(ask(resource, claim.id)),
      () => alice.renew([{ ...claim, lease }], soon),
      () => alice.exit([claim], soon),
      () => alice.inspect(resource, soon),
      () => alice.pause(resource, 1_000, soon),
      () => alice.evict(claim, soon),
      () => alice.setCapacity(resource, 1, soon),
    ];
    for (const call of calls) await expect(call(), String(call)).rejects.toBeInstanceOf(ClosedError);
  });

  it('leaves the other parties as they are', async () => {
    const [alice, bob] = await kit.parties();
    const resource = kit.name();
    const held = await hold(bob, resource);

    await alice.close();

    expect(await enters(bob, resource)).toBe(false);
    await exit(bob, resource, held);
    expect(await enters(bob, resource)).toBe(true);
  });

  it('lets the leases that are still held lapse', async () => {
    const [alice, bob] = await kit.parties();
    const resource = kit.name();
    await hold(alice, resource, { lease });
    await alice.close();
    await kit.passUntil(() => enters(bob, resource), 3 * lease);
  });
}
