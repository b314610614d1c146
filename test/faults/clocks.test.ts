import { setTimeout as sleep } from 'node:timers/promises';
import { createLocks } from 'lockkeeper';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startScript } from '../support/peer.js';
import { useRedis, useShared } from '../support/servers/index.js';
import { Fleet } from './fleet.js';
import { newName } from './side.js';

const tenMinutes = 600_000;

describe.each([
  ['Redis', useRedis(), 1_500],
  ['etcd', useShared('etcd'), 2_000],
])('clocks that are ten minutes from that of %s', (_, server, lease) => {
  it('change nothing for processes that contend', { timeout: 60_000 }, async () => {
    const capacities = { [newName()]: 1, [newName()]: 3 };
    const ahead = [tenMinutes, -tenMinutes, 0];
    const fleet = await new Fleet({ url: server.url, workers: 3, lease, capacities, ahead }).start();
    onTestFinished(() => fleet.stop());

    await fleet.goesOn(20);

    await fleet.end();
    expect(fleet.violations).toEqual([]);
    expect([...fleet.errors]).toEqual([]);
  });

  it.each([tenMinutes, -tenMinutes])('nor for a holder: %i ms', { timeout: 60_000 }, async (ahead) => {
    const locks = createLocks({ coordinator: server.url });
    onTestFinished(() => locks.close());
    // Loading the client takes longer than a try may, on a slow machine.
    await (await locks.acquire(newName(), { lease })).release();
    const name = newName();
    const script = new URL('holder.ts', import.meta.url);
    await using holder = await startScript(script, server.url, name, String(lease), String(ahead));
    const token = BigInt(/^held (\d+)$/.exec(await holder.next())![1]!);

    await sleep(2 * lease);
    expect(await holder.ask('check')).toBe('still held');
    expect(await locks.tryAcquire(name)).toBeUndefined();

    const next = locks.acquire(name);
    const killed = performance.now();
    await holder.end('SIGKILL');
    const permit = await next;
    expect(performance.now() - killed).toBeLessThan(lease + 1_000);
    expect(permit.token).toBeGreaterThan(token);
    await permit.release();
  });
});
