import { expect, it } from 'vitest';
import { soon, standInLine } from '../conformance/coordinator/kit.js';
import { until } from '../support/until.js';
import type { Holders } from './holders.js';
import { counts, newName } from './side.js';

/** What becomes of those who wait when they, or what would wake them, are cut off. */
export function waiterSuite({ lease, side }: Omit<Holders, 'url'>): void {
  it('is not forgotten when nobody can wake it', async () => {
    const [alice, bob] = [await side(), await side()];
    const name = newName();
    const held = await bob.locks.acquire(name, { lease: '1m' });
    const waiting = alice.locks.acquire(name);
    await until(async () => (await counts(bob.coordinator, name)).waiting === 1);
    alice.all((proxy) => proxy.pause('replies'));
    await held.release();
    alice.all((proxy) => proxy.cut());
    alice.all((proxy) => proxy.resume());
    await (await waiting).release();
  });

  it('is not in the way when its process is cut off', async () => {
    const [alice, bob] = [await side(), await side()];
    const name = newName();
    const held = await bob.locks.acquire(name, { lease: '1m' });
    const place = await standInLine(alice.coordinator, name, { lease, placeLife: lease });
    await until(async () => (await counts(bob.coordinator, name)).waiting === 1);
    alice.all((proxy) => proxy.stop());
    const next = bob.locks.acquire(name);
    await held.release();
    const permit = await next;
    expect((await bob.coordinator.inspect(name, soon)).waiting.map(({ id }) => id)).not.toContain(place);
    await permit.release();
  });
}
