import { describe, expect, it } from 'vitest';
import { useEtcd, useRedis } from '../support/servers/index.js';
import { outage } from './outage.js';

const redis = useRedis({ persist: true });
const etcd = useEtcd();

describe.each([
  ['Redis', redis],
  ['etcd', etcd],
])('while %s is gone for 3 s', (_, server) => {
  it('longer leases are undisturbed, the others are told, and work goes on within 5 s', {
    timeout: 90_000,
  }, async () => {
    const { longKept, shortToldMs, resumedMs, busiest, violations } = await outage(server, 3_000);

    expect(longKept).toBe(true);
    expect(shortToldMs).toBeLessThan(2_000);
    expect(resumedMs).toBeLessThan(5_000);
    expect(busiest).toBeLessThan(0.25);
    expect(violations).toEqual([]);
  });
});
