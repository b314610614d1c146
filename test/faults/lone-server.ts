import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { CoordinatorUnavailableError } from 'lockkeeper';
import { expect, it } from 'vitest';
import type { Server } from '../support/servers/index.js';
import { until } from '../support/until.js';
import type { Holders } from './holders.js';
import { counts, newName } from './side.js';

/** What a server does to those who hold and wait when it is the only one, and keeps over a restart what it knew. */
export function loneServerSuite(server: Server, { lease, side }: Omit<Holders, 'url'>): void {
  it('that is killed, and back within a lease, has taken nothing from anybody', async () => {
    const [alice, bob] = [await side(), await side()];
    const name = newName();
    const permit = await alice.locks.acquire(name, { lease: '15s' });
    const next = bob.locks.acquire(name);
    await until(async () => (await counts(alice.coordinator, name)).waiting === 1);

    await server.restart();

    const both = { holders: 1, waiting: 1 };
    await until(async () => isDeepStrictEqual(await counts(bob.coordinator, name), both));
    await sleep(1_000);
    expect(permit.held).toBe(true);
    const { token } = permit;
    await permit.release();
    const after = await next;
    expect(after.token).toBeGreaterThan(token);
    await after.release();
  });

  it('that is away for 3 s disturbs no run with a longer lease, and work goes on within 5 s', async () => {
    const [alice, bob] = [await side(), await side()];
    const [name, other] = [newName(), newName()];
    const permit = await alice.locks.acquire(name, { lease: '15s' });
    let unavailable = 0;
    bob.locks.events.on('coordinator.unavailable', () => {
      unavailable++;
    });
    await (await bob.locks.acquire(other)).release();
    await server.kill();
    const refused = await bob.locks.acquire(other, { waitTimeout: '1s' }).catch((error) => error);
    await sleep(2_000);
    await server.restart();
    const back = performance.now();

    await (await bob.locks.acquire(other)).release();

    expect(performance.now() - back).toBeLessThan(5_000);
    expect(refused).toBeInstanceOf(CoordinatorUnavailableError);
    expect(unavailable).toBe(1);
    expect(permit.held).toBe(true);
    await permit.release();
  });

  it('that freezes: holders are told within their lease, and all goes on when it thaws', async () => {
    const [alice, bob] = [await side(), await side()];
    const name = newName();
    const held = await alice.locks.acquire(name);
    const { signal } = held;
    const next = bob.locks.acquire(name, { waitTimeout: '1m' });
    await server.freeze();
    const frozen = performance.now();
    await until(() => signal.aborted, 2 * lease);
    expect(performance.now() - frozen).toBeLessThan(lease);
    await sleep(lease);

    await server.thaw();

    await (await next).release();
    await held.release();
  });
}
