import { expect, it } from 'vitest';
import { ask, enters, exit, hold, type Kit, newId, queued, renew, soon, standInLine, where } from './kit.js';

export function evictionSuite(kit: Kit): void {
  const { features } = kit;

  it('takes a permit away for good', async () => {
    const [alice, bob] = await kit.parties();
    const resource = kit.name();
    const held = await hold(alice, resource);

    expect(await bob.evict({ resource, id: held }, soon)).toBe(true);

    expect(await renew(alice, resource, held)).toBe('lost');
    const next = await hold(bob, resource);
    await exit(alice, resource, held);
    expect(await renew(bob, resource, next)).toBe('kept');
  });

  it('says when there is no such claim', async () => {
    const [alice, bob] = await kit.parties();
    const resource = kit.name();
    const held = await hold(alice, resource);

    expect(await bob.evict({ resource, id: newId() }, soon)).toBe(false);
    expect(await bob.evict({ resource: kit.name(), id: held }, soon)).toBe(false);
    expect(await bob.evict({ resource, id: held }, soon)).toBe(true);
    expect(await bob.evict({ resource, id: held }, soon)).toBe(false);
  });

  where(features.fair)('takes a place away, and the next moves up', async () => {
    const [alice, bob] = await kit.parties();
    const resource = kit.name();
    const held = await hold(alice, resource);
    const first = await standInLine(alice, resource);
    const second = await standInLine(bob, resource);

    expect(await bob.evict({ resource, id: first }, soon)).toBe(true);

    expect(queued(await bob.enter(ask(resource, second, { line: true }))).ahead).toBe(0);
    await exit(alice, resource, held);
    expect(await enters(bob, resource, second, { line: true })).toBe(true);
  });
}
